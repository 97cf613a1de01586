/**
 * One member of a federation as a process of its own; the test that forked it asks for its state over IPC.
 */
import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import { Member, type MemberConfig } from '../../node/member.ts'

export interface MemberProcessState {
  readonly epoch: number
  readonly up: readonly string[]
  readonly linked: readonly string[]
  readonly ready: boolean
}

async function main(config: MemberConfig): Promise<void> {
  let registryMap: ClusterMap = JSON.parse(readFileSync(config.genesis, 'utf8')).map
  const logger = pino({ level: process.env.BUNDESCLOUD_LOG_LEVEL ?? 'silent' })
  const member = await Member.open(config, 'node', logger)
  const { admin } = await member.serve({
    'registry-query': async () => ({ reply: { answer: { map: registryMap } } }),
  })
  process.on('message', async (message: { map?: ClusterMap }) => {
    if (message.map) registryMap = message.map
    const ready = (await fetch(`http://127.0.0.1:${admin.port}/readyz`)).ok
    const peers = member.transport.peers().filter((peer) => peer.up)
    const state: MemberProcessState = {
      epoch: member.map().epoch,
      up: peers.map((peer) => peer.nodeId),
      linked: member.swarm.connected(),
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
