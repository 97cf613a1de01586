/**
 * One member of a federation as a process of its own; the test that forked it asks for its state over IPC.
 */
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import type { Address } from '../../node/io/channel.ts'
import { keyPairFromSeed } from '../../node/io/identity.ts'
import { openMembership } from '../../node/membership.ts'
import { realClock } from './member-fixture.ts'

export interface MemberProcessConfig {
  readonly nodeId: string
  readonly seed: string
  readonly genesis: ClusterMap
  readonly directory: string
  readonly dht: readonly Address[]
}

export interface MemberProcessState {
  readonly epoch: number
  readonly up: readonly string[]
  readonly down: readonly string[]
  readonly known: readonly string[]
  readonly linked: readonly string[]
  readonly ready: boolean
}

async function main(config: MemberProcessConfig): Promise<void> {
  let registryMap = config.genesis
  const local = { host: '127.0.0.1', port: 0 }
  const member = await openMembership({
    process: 'node',
    version: '0.0.0',
    nodeId: config.nodeId,
    keyPair: keyPairFromSeed(Buffer.from(config.seed, 'hex')),
    genesis: config.genesis,
    directory: config.directory,
    listen: local,
    admin: local,
    dht: config.dht,
    clock: realClock,
    warn: (message, cause) => console.error(message, cause),
  })
  const { admin } = await member.serve({
    'registry-query': async () => ({ reply: { answer: { map: registryMap } } }),
  })
  process.on('message', async (message: { map?: ClusterMap }) => {
    if (message.map) registryMap = message.map
    const peers = member.transport.peers()
    const ready = (await fetch(`http://127.0.0.1:${admin.port}/readyz`)).ok
    const state: MemberProcessState = {
      epoch: member.mapWatch.epoch,
      up: peers.filter((peer) => peer.up).map((peer) => peer.nodeId),
      down: peers.filter((peer) => !peer.up).map((peer) => peer.nodeId),
      known: member.book.records().map((record) => record.nodeId),
      linked: member.swarm?.connected() ?? [],
      ready,
    }
    process.send?.(state)
  })
  // The test may die: nobody else would end this process.
  process.on('disconnect', () => process.exit())
  process.send?.('started')
}

const config = process.env.MEMBER_CONFIG
if (config !== undefined) main(JSON.parse(config))
