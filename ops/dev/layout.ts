/**
 * Where a local federation keeps what: the one place that spells file names of a data directory.
 *
 * `dev.json` marks a directory as ours: nothing is ever deleted in a directory without it.
 */
import { join, resolve } from 'node:path'

export interface Layout {
  readonly root: string
  /** Shape, ports and users of this federation; its presence marks the directory. Mode 0600. */
  readonly devFile: string
  /** What clients and tests need; written when the cluster serves, removed when it ends. */
  readonly federationFile: string
  readonly genesisFile: string
  /** The access keys that the registry knows, one a line. */
  readonly usersFile: string
  /** For Prometheus' file service discovery; alone in its folder, which holds no secret. */
  readonly targetsFile: string
  /** 32 bytes, hex: the owner's key for journal contents. */
  readonly journalKeyFile: string
  readonly kmsFile: string
  /** Process id of the supervisor and path of its control socket. */
  readonly lockFile: string
  readonly logDir: string
  readonly journalDir: string
  operatorDir(operatorId: string): string
  nodeDir(nodeId: string): string
  gatewayDir(gatewayId: string): string
  auditorDir(auditorId: string): string
  readonly dhtDir: string
}

export function layoutOf(dataDir: string): Layout {
  const root = resolve(dataDir)
  return {
    root,
    devFile: join(root, 'dev.json'),
    federationFile: join(root, 'federation.json'),
    genesisFile: join(root, 'genesis.json'),
    usersFile: join(root, 'users.registered'),
    targetsFile: join(root, 'prometheus', 'targets.json'),
    journalKeyFile: join(root, 'journal.key'),
    kmsFile: join(root, 'kms', 'owner.key.json'),
    lockFile: join(root, 'dev.lock'),
    logDir: join(root, 'logs'),
    journalDir: join(root, 'auditors', 'auditor-1'),
    operatorDir: (operatorId) => join(root, 'operators', operatorId),
    nodeDir: (nodeId) => join(root, 'nodes', nodeId),
    gatewayDir: (gatewayId) => join(root, 'gateways', gatewayId),
    auditorDir: (auditorId) => join(root, 'auditors', auditorId),
    dhtDir: join(root, 'dht'),
  }
}
