/**
 * The group router: finds the leader of a Raft group and sends it requests.
 *
 * Remembers the last leader of each group, follows NotLeader hints, goes round the members when a leader is gone and
 * keeps trying until the deadline: an election is a pause, not an error. A proposal is repeated under the same request
 * id, which the group applies once.
 */
import type { CatalogAnswers, CatalogCommand, CatalogQuery, CatalogReplies } from '../core/catalog-types.ts'
import type { ClusterMap } from '../core/cluster-map.ts'
import type {
  RegistryAnswers,
  RegistryCommand,
  RegistryQuery,
  RegistryReplies,
} from '../core/registry-types.ts'
import { ClusterError, isClusterErrorCode } from '../errors.ts'
import type { Caller, Replies, Requests } from '../protocol/messages.ts'
import type { Clock, Random } from '../world.ts'

export const routerLimits = {
  /** How long a request looks for a leader before it gives up: a few elections. */
  deadlineMs: 8_000,
  /** One attempt: longer than a group commit under load, short enough to meet a silent leader's successor. */
  attemptMs: 2_500,
  /** Pause between rounds over the members, with up to as much again at random. */
  backoffMs: 40,
} as const

/** Errors after which the request may be tried again at this or another member. */
const routable: readonly string[] = [
  'NotLeader',
  'GroupUnavailable',
  'PeerUnreachable',
  'Timeout',
  'Overloaded',
]

export interface GroupRouterParts {
  readonly caller: Caller
  readonly map: () => ClusterMap
  readonly isUp: (nodeId: string) => boolean
  readonly clock: Clock
  readonly random: Random
}

type RoutedMessage = 'catalog-propose' | 'catalog-query' | 'registry-propose' | 'registry-query'

export class GroupRouter {
  readonly #parts: GroupRouterParts
  readonly #leaders = new Map<string, string>()

  constructor(parts: GroupRouterParts) {
    this.#parts = parts
  }

  /** Commits `command` in catalog group `groupId`; throws the ClusterError that the state machine answered. */
  async proposeCatalog<K extends CatalogCommand['kind']>(
    groupId: string,
    requestId: string,
    command: Extract<CatalogCommand, { kind: K }>,
  ): Promise<CatalogReplies[K]> {
    const { reply } = await this.#route(groupId, 'catalog-propose', { groupId, requestId, command })
    return unwrapReply<CatalogReplies[K]>(reply)
  }

  /** Linearizable read of catalog group `groupId`. */
  async queryCatalog<K extends CatalogQuery['kind']>(
    groupId: string,
    query: Extract<CatalogQuery, { kind: K }>,
  ): Promise<CatalogAnswers[K]> {
    const { answer } = await this.#route(groupId, 'catalog-query', { groupId, query })
    return unwrapReply<CatalogAnswers[K]>(answer)
  }

  async proposeRegistry<K extends RegistryCommand['kind']>(
    requestId: string,
    command: Extract<RegistryCommand, { kind: K }>,
  ): Promise<RegistryReplies[K]> {
    const { reply } = await this.#route(this.#registryGroup(), 'registry-propose', { requestId, command })
    return unwrapReply<RegistryReplies[K]>(reply)
  }

  /** Linearizable read of the registry. */
  async queryRegistry<K extends RegistryQuery['kind']>(
    query: Extract<RegistryQuery, { kind: K }>,
  ): Promise<RegistryAnswers[K]> {
    const { answer } = await this.#route(this.#registryGroup(), 'registry-query', {
      query,
      linearizable: true,
    })
    return unwrapReply<RegistryAnswers[K]>(answer)
  }

  #registryGroup(): string {
    const group = this.#parts.map().groups.find((candidate) => candidate.kind === 'registry')
    if (group === undefined) throw new ClusterError('Internal', 'the cluster map names no registry group')
    return group.groupId
  }

  async #route<M extends RoutedMessage>(
    groupId: string,
    message: M,
    request: Requests[M],
  ): Promise<Replies[M]> {
    const { clock, caller } = this.#parts
    const deadlineMs = clock.monotonicMs() + routerLimits.deadlineMs
    let lastError: ClusterError | undefined
    let unheard: string[] = []
    for (;;) {
      if (unheard.length === 0) {
        if (lastError !== undefined) await this.#pause()
        unheard = this.#membersByPromise(groupId)
      }
      const member = unheard.shift()
      if (member === undefined) throw new ClusterError('GroupUnavailable', `group ${groupId} has no members`)
      const restMs = deadlineMs - clock.monotonicMs()
      if (restMs <= 0) break
      try {
        const answer = await caller.call(member, message, request, {
          timeoutMs: Math.min(restMs, routerLimits.attemptMs),
        })
        this.#leaders.set(groupId, member)
        return answer.reply
      } catch (error) {
        if (!(error instanceof ClusterError) || !routable.includes(error.code)) throw error
        lastError = error
        if (this.#leaders.get(groupId) === member) this.#leaders.delete(groupId)
        const hint = error.code === 'NotLeader' ? error.details.leaderId : undefined
        if (typeof hint === 'string' && hint !== member) {
          this.#leaders.set(groupId, hint)
          if (unheard.includes(hint)) unheard = [hint, ...unheard.filter((other) => other !== hint)]
        }
      }
    }
    throw new ClusterError('GroupUnavailable', `no leader of group ${groupId} answered in time`, {
      cause: lastError,
      details: { groupId },
    })
  }

  /** Last known leader first, then members that are up, in random order; members thought down last: we may be wrong. */
  #membersByPromise(groupId: string): string[] {
    const { map, isUp, random } = this.#parts
    const group = map().groups.find((candidate) => candidate.groupId === groupId)
    if (group === undefined) throw new ClusterError('Internal', `the cluster map names no group ${groupId}`)
    const leader = this.#leaders.get(groupId)
    const rank = (nodeId: string) => (nodeId === leader ? 0 : isUp(nodeId) ? 1 : 2) + random.float()
    return group.members
      .filter((member) => !member.learner)
      .map((member) => ({ nodeId: member.nodeId, rank: rank(member.nodeId) }))
      .sort((a, b) => a.rank - b.rank)
      .map((member) => member.nodeId)
  }

  #pause(): Promise<void> {
    const { clock, random } = this.#parts
    return new Promise((resolve) => {
      clock.after(routerLimits.backoffMs * (1 + random.float()), resolve)
    })
  }
}

/** State machines answer `{ error: { code, message, details } }` for operating errors: deterministic outcomes, not failures. */
export function unwrapReply<T>(reply: unknown): T {
  const error = (reply as { error?: { code?: unknown; message?: unknown; details?: unknown } } | undefined)
    ?.error
  if (error === undefined || error === null) return reply as T
  throw new ClusterError(
    isClusterErrorCode(error.code) ? error.code : 'Internal',
    String(error.message ?? ''),
    {
      details: (error.details ?? {}) as Record<string, unknown>,
    },
  )
}
