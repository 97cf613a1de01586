/**
 * A catalog group as its leader's background workers see it, and the catalog as every node's workers see it.
 *
 * Small interfaces, so that repair and garbage collection run under a simulator. `catalogGroupOf` is the real one.
 */

import { answerCatalogQuery } from '../core/catalog-queries.ts'
import { type GarbageRow, rowKeys, type ShardedBlobRow } from '../core/catalog-rows.ts'
import type { CatalogAnswers, CatalogCommand, CatalogQuery, CatalogReplies } from '../core/catalog-types.ts'
import { blobRows, fenceRows, garbageRows, type WorkCursor, type WorkPage } from '../core/catalog-work.ts'
import { decodeRow } from '../core/row-codec.ts'
import type { RowSource } from '../core/rows.ts'
import type { Random } from '../world.ts'
import { type GroupRouter, unwrapReply } from './group-router.ts'

export const shardGroupLimits = {
  /** A background proposal waits so long; it is repeated by a later round, not by a retry. */
  proposeTimeoutMs: 5_000,
} as const

export type QueryOf<K extends CatalogQuery['kind']> = Extract<CatalogQuery, { kind: K }>
export type CommandOf<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

/** The replica of a group on this node; reads are of what is applied here. */
export interface CatalogGroup {
  readonly groupId: string
  isLeader(): boolean
  blobs(cursor: WorkCursor): Promise<WorkPage<ShardedBlobRow>>
  blob(blobId: string): ShardedBlobRow | undefined
  garbage(cursor: WorkCursor): Promise<WorkPage<GarbageRow & { readonly blobId: string }>>
  fences(cursor: WorkCursor): Promise<WorkPage<{ readonly id: string; readonly sinceMs: number }>>
  /** Answered from what is applied here, without a read barrier: for plans whose commands say what they were made from. */
  query<K extends CatalogQuery['kind']>(query: QueryOf<K>): Promise<CatalogAnswers[K]>
  /** Throws ClusterError: what the state machine refused with, or NotLeader, Timeout ... (then it may still commit). */
  propose<K extends CatalogCommand['kind']>(command: CommandOf<K>): Promise<CatalogReplies[K]>
}

/** All catalog groups, from any node, at their leaders. Throws ClusterError when the answer is not certain. */
export interface CatalogAccess {
  findBlobs(groupId: string, blobIds: readonly string[]): Promise<CatalogAnswers['find-blobs']['blobs']>
  /** Returns the blobs that are referred to after all; the others are fenced for good. */
  abandonBlobs(groupId: string, blobIds: readonly string[], nowMs: number): Promise<readonly string[]>
}

/** What `catalogGroupOf` needs of a replica (services/replica-group.ts has it). */
export interface GroupReplica extends RowSource {
  readonly groupId: string
  status(): { readonly role: string }
  propose(command: unknown, options: { requestId: string; timeoutMs: number }): Promise<unknown>
}

export function catalogGroupOf(group: GroupReplica, random: Random): CatalogGroup {
  return {
    groupId: group.groupId,
    isLeader: () => group.status().role === 'leader',
    blobs: (cursor) => blobRows(group, cursor),
    blob: (blobId) => {
      const row = group.get(rowKeys.shardedBlob(blobId))
      return row === undefined ? undefined : decodeRow<ShardedBlobRow>(row)
    },
    garbage: (cursor) => garbageRows(group, cursor),
    fences: (cursor) => fenceRows(group, cursor),
    query: (query) => answerCatalogQuery(group, query),
    propose: async <K extends CatalogCommand['kind']>(command: CommandOf<K>) => {
      const timeoutMs = shardGroupLimits.proposeTimeoutMs
      const reply = await group.propose(command, { requestId: random.hex(16), timeoutMs })
      return unwrapReply<CatalogReplies[K]>(reply)
    },
  }
}

export function catalogAccessOf(router: GroupRouter, random: Random): CatalogAccess {
  return {
    findBlobs: async (groupId, blobIds) => {
      return (await router.queryCatalog(groupId, { kind: 'find-blobs', blobIds })).blobs
    },
    abandonBlobs: async (groupId, blobIds, nowMs) => {
      const command = { kind: 'abandon-blobs', blobIds, nowMs } as const
      return (await router.proposeCatalog(groupId, random.hex(16), command)).referenced
    },
  }
}
