/**
 * Founds a local federation: keys of operators and processes, the signed genesis, one configuration per process.
 *
 * Idempotent: keys that exist stay, the genesis is written once, configurations follow `dev.json`. In earnest every
 * operator does its part on its own machine; here one program plays all of them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ClusterMap, MapNode, NodeRole } from '../../node/core/cluster-map.ts'
import type { Genesis } from '../../node/core/registry-types.ts'
import { genesisBytes } from '../../node/core/signed-documents.ts'
import { writeFileDurably } from '../../node/io/durable-file.ts'
import { type KeyPair, loadOrCreateKey, loadOrCreateProcessKeys } from '../../node/io/identity.ts'
import { createFileKms } from '../../node/io/kms-file.ts'
import type { DevFile, MemberPorts } from './dev-file.ts'
import type { Layout } from './layout.ts'
import { planShape, type Shape } from './shape.ts'

export const gatewayId = 'gw-1'
export const auditorId = 'auditor-1'
export const dhtId = 'dht'

/** All nodes share one disk: the same weight for each. */
const nodeCapacityBytes = 1_000_000_000_000

/** A process of the federation, ready to be started. */
export interface Member {
  readonly id: string
  readonly kind: 'dht' | 'node' | 'auditor' | 'gateway'
  readonly operator: string
  readonly site: string
  readonly configFile: string
  readonly ports: MemberPorts
}

/** Short, so that repair and garbage collection can be watched; in earnest the defaults of node/config.ts are minutes. */
const localDelays = { repairDelayMs: 30_000, gcGraceMs: 60_000, garbageDelayMs: 30_000 }

/** As short as those. */
const localAccessLogRollSeconds = 5

/** Settings that tests change: fields of the nodes' configuration, see node/config.ts. */
export type NodeSettings = Readonly<Record<string, number>>

/** Creates whatever is missing and returns the processes, the DHT first. */
export async function foundFederation(
  layout: Layout,
  dev: DevFile,
  nodeSettings: NodeSettings = {},
): Promise<readonly Member[]> {
  const shape = planShape(dev)
  const home = shape.operators[0] ?? { operatorId: '', name: '', site: '' }
  const follower = shape.operators.at(-1) ?? home
  const members: Member[] = [
    ...shape.nodes.map((node) => ({
      id: node.nodeId,
      kind: 'node' as const,
      operator: node.operatorId,
      site: node.site,
      configFile: join(layout.nodeDir(node.nodeId), 'config.json'),
      ports: portsOf(dev, node.nodeId),
    })),
    memberAt('auditor', auditorId, follower, layout.auditorDir(auditorId), dev.ports.auditor),
    memberAt('gateway', gatewayId, home, layout.gatewayDir(gatewayId), dev.ports.gateway),
  ]
  const dht = memberAt('dht', dhtId, home, layout.dhtDir, dev.ports.dht)
  for (const member of [dht, ...members])
    await mkdir(dirname(member.configFile), { recursive: true, mode: 0o700 })
  await mkdir(dirname(layout.kmsFile), { recursive: true, mode: 0o700 })
  // A suite wants just its own keys: some of its tests count on there being no default one.
  await createFileKms(layout.kmsFile, dev.kmsKeyNames.length === 0 ? {} : { named: dev.kmsKeyNames })
  if (!existsSync(layout.journalKeyFile)) {
    await writeFileDurably(layout.journalKeyFile, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  }
  const admitted = await Promise.all(members.map((member) => admit(member, shape)))
  await writeGenesis(layout, dev, shape, admitted)
  await writeConfigs(layout, dev, { dht, members, nodeSettings })
  return [dht, ...members]
}

function portsOf(dev: DevFile, nodeId: string): MemberPorts {
  const ports = dev.ports.nodes[nodeId]
  if (ports === undefined) throw new Error(`dev.json has no ports for ${nodeId}`)
  return ports
}

function memberAt(
  kind: Member['kind'],
  id: string,
  place: Shape['operators'][number],
  folder: string,
  ports: MemberPorts,
): Member {
  return {
    id,
    kind,
    operator: place.operatorId,
    site: place.site,
    configFile: join(folder, 'config.json'),
    ports,
  }
}

/** The cluster map's row of a process; creates its keys in its data directory. */
async function admit(member: Member, shape: Shape): Promise<MapNode> {
  const keys = await loadOrCreateProcessKeys(dirname(member.configFile))
  const roles: readonly NodeRole[] =
    shape.nodes.find((node) => node.nodeId === member.id)?.roles ??
    (member.kind === 'gateway' ? ['gateway'] : ['auditor'])
  return {
    nodeId: member.id,
    operatorId: member.operator,
    site: member.site,
    roles,
    publicKey: keys.node.publicKey,
    journalKey: keys.journal.publicKey,
    capacityBytes: roles.includes('shard') ? nodeCapacityBytes : 0,
    state: 'active',
  }
}

/** The founding document, signed by every operator; written once, for good. */
async function writeGenesis(
  layout: Layout,
  dev: DevFile,
  shape: Shape,
  nodes: readonly MapNode[],
): Promise<void> {
  if (existsSync(layout.genesisFile)) return
  const keys = new Map<string, KeyPair>()
  for (const { operatorId } of shape.operators) {
    await mkdir(layout.operatorDir(operatorId), { recursive: true, mode: 0o700 })
    keys.set(operatorId, await loadOrCreateKey(layout.operatorDir(operatorId), 'operator'))
  }
  const map: ClusterMap = {
    federationId: dev.federationId,
    epoch: 1,
    operators: shape.operators.map(({ operatorId, name }) => ({
      operatorId,
      name,
      publicKey: keys.get(operatorId)?.publicKey ?? '',
    })),
    nodes,
    pools: [shape.pool],
    groups: shape.groups,
    slots: shape.slots,
  }
  const bytes = genesisBytes(map)
  const signatures = Object.fromEntries([...keys].map(([operatorId, key]) => [operatorId, key.sign(bytes)]))
  const genesis: Genesis = { format: 1, map, signatures }
  await writeFileDurably(layout.genesisFile, `${JSON.stringify(genesis, null, 2)}\n`, { mode: 0o644 })
}

/** One file per process, written anew at every start, so that a data directory can be moved. */
async function writeConfigs(
  layout: Layout,
  dev: DevFile,
  { dht, members, nodeSettings }: { dht: Member; members: readonly Member[]; nodeSettings: NodeSettings },
): Promise<void> {
  const address = (port: number): { host: string; port: number } => ({ host: '127.0.0.1', port })
  const addresses = ({ ports }: Member): Record<string, unknown> => ({
    listen: address(ports.listen),
    admin: address(ports.admin),
  })
  await writeConfig(dht, addresses(dht))
  for (const member of members) {
    const common = {
      nodeId: member.id,
      dataDir: '.',
      genesis: '../../genesis.json',
      ...addresses(member),
      dht: [`127.0.0.1:${dht.ports.listen}`],
    }
    if (member.kind === 'gateway') {
      const kms = { kind: 'file', file: layout.kmsFile }
      const { region, legacyFormSignatures, bucketDefaults } = dev
      const front = { s3: address(dev.ports.s3), region, kms, legacyFormSignatures, bucketDefaults }
      await writeConfig(member, { ...common, ...front, accessLogRollSeconds: localAccessLogRollSeconds })
    } else {
      const settings = member.kind === 'node' ? { ...localDelays, ...nodeSettings } : {}
      await writeConfig(member, { ...common, journalKeyFile: '../../journal.key', ...settings })
    }
  }
}

async function writeConfig(member: Member, config: Record<string, unknown>): Promise<void> {
  await writeFile(member.configFile, `${JSON.stringify(config, null, 2)}\n`)
}
