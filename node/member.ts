/**
 * Opens a process as a member from its configuration: genesis and keys from disk, the rest is membership.ts.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import type { ClusterMap } from './core/cluster-map.ts'
import { verifyGenesis } from './core/genesis.ts'
import type { Genesis } from './core/registry-types.ts'
import type { Address } from './io/channel.ts'
import { ed25519Verify, loadOrCreateProcessKeys, type ProcessKeys } from './io/identity.ts'
import type { Logger } from './io/process-life.ts'
import { systemClock } from './io/system-world.ts'
import { type Membership, openMembership } from './membership.ts'
import { version } from './version.ts'

/** The fields that configurations of all members have (config.ts). */
export interface MemberConfig {
  readonly nodeId: string
  readonly dataDir: string
  readonly genesis: string
  readonly listen: Address
  readonly advertiseHost?: string | undefined
  readonly admin: Address
  readonly dht: readonly string[]
  readonly addressHints: Readonly<Record<string, Address>>
}

export interface Member extends Membership {
  readonly nodeId: string
  readonly genesis: Genesis
  readonly keys: ProcessKeys
  /** The newest cluster map that this member knows. */
  readonly map: () => ClusterMap
  /** Whether the peer answers; a member always reaches itself. */
  readonly isUp: (nodeId: string) => boolean
}

/** Throws when the genesis is not sound or not signed by its operators, or the keys cannot be read. */
export async function openMember(config: MemberConfig, kind: string, logger: Logger): Promise<Member> {
  mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const genesis = verifyGenesis(JSON.parse(readFileSync(config.genesis, 'utf8')), ed25519Verify)
  const keys = await loadOrCreateProcessKeys(config.dataDir)
  const { nodeId, advertiseHost, listen, admin, addressHints } = config
  const membership = await openMembership({
    process: kind,
    version,
    nodeId,
    keyPair: keys.node,
    genesis: genesis.map,
    directory: config.dataDir,
    listen,
    ...(advertiseHost === undefined ? {} : { advertiseHost }),
    admin,
    dht: config.dht.map(addressOf),
    addressHints,
    clock: systemClock,
    warn: (message, cause) => logger.warn({ err: cause }, message),
  })
  return {
    ...membership,
    nodeId,
    genesis,
    keys,
    map: () => membership.mapWatch.map,
    isUp: (peer) => membership.transport.isUp(peer),
  }
}

function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}
