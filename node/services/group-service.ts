/**
 * The group service: serves proposals and queries of the Raft groups that this node is a member of.
 *
 * Queries run on the leader behind a read barrier, so that an answer reflects every command acknowledged before it.
 */
import { answerCatalogQuery } from '../core/catalog-queries.ts'
import type { MapGroup } from '../core/cluster-map.ts'
import { answerRegistryQuery } from '../core/registry-queries.ts'
import { ClusterError } from '../errors.ts'
import type { Handlers } from '../protocol/messages.ts'
import type { Group } from './replica-group.ts'

export const groupServiceLimits = {
  /** Below the router's attempt time, so that the caller learns the reason instead of a time-out. */
  proposeMs: 2_400,
  readBarrierMs: 2_000,
} as const

/** Handlers for the four group messages; `find` gives the replica of a group on this node. */
export function groupHandlers(find: (groupId: string) => Group | undefined, registry: MapGroup): Handlers {
  const groupOrThrow = (groupId: string): Group => {
    const group = find(groupId)
    if (group === undefined) throw new ClusterError('NotLeader', `no replica of group ${groupId} here`)
    return group
  }
  const propose = async (groupId: string, requestId: string, command: unknown, actor: string) => {
    const timeoutMs = groupServiceLimits.proposeMs
    const reply = await groupOrThrow(groupId).propose(command, { requestId, timeoutMs, actor })
    return { reply: { reply } }
  }
  return {
    'catalog-propose': ({ groupId, requestId, command }, { from }) =>
      propose(groupId, requestId, command, from),
    'registry-propose': ({ requestId, command }, { from }) =>
      propose(registry.groupId, requestId, command, from),
    'catalog-query': async ({ groupId, query }) => {
      const group = groupOrThrow(groupId)
      await group.readBarrier(groupServiceLimits.readBarrierMs)
      return { reply: { answer: await answerCatalogQuery(group, query) } }
    },
    'registry-query': async ({ query, linearizable }) => {
      const group = groupOrThrow(registry.groupId)
      if (linearizable) await group.readBarrier(groupServiceLimits.readBarrierMs)
      return { reply: { answer: await answerRegistryQuery(group, query) } }
    },
  }
}
