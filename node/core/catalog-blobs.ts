/**
 * The life of a blob in the catalog: unknown -> referenced -> garbage -> forgotten, or unknown -> abandoned.
 *
 * Invariant: a blob that leaves "referenced" gets a fence in the same command and never comes back, however often
 * and however late a command that names it is repeated; only fenced blobs may lose their shards on nodes. So no row
 * ever refers to a blob whose shards were deleted.
 *
 * Fences outlast the garbage row. They may only go when no gateway can still be proposing a command that names the
 * id; the catalog cannot know that, so it insists on an age (forget-fences) and leaves the asking to a worker.
 */
import { ClusterError } from '../errors.ts'
import {
  catalogLimits,
  type FenceRow,
  type GarbageRow,
  type InlineBlobRow,
  rowKeys,
  type ShardedBlobRow,
} from './catalog-rows.ts'
import type { Blob, CatalogCommand, CatalogReplies } from './catalog-types.ts'
import { invariant } from './invariant.ts'
import type { RowChanges } from './row-changes.ts'

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

/**
 * Writes the row of a blob that a version or part now refers to.
 * Refuses with VersionAbandoned when the blob is dead, or alive elsewhere (details: blobId, state).
 */
export function adoptBlob(changes: RowChanges, blob: Blob, owner: { bucketId: string; key: string }): void {
  const { blobId } = blob
  if (changes.has(rowKeys.fence(blobId))) throw abandoned(blobId, 'fenced')
  if (isReferenced(changes, blobId)) throw abandoned(blobId, 'referenced')
  if (blob.kind === 'sharded')
    changes.put(rowKeys.shardedBlob(blobId), { blob, ...owner } satisfies ShardedBlobRow)
  else changes.put(rowKeys.inlineBlob(blobId), { blob, ...owner } satisfies InlineBlobRow)
}

/** Ends a blob that nothing refers to any more: fence it, and leave its shards to garbage collection. */
export function releaseBlob(changes: RowChanges, blobId: string, fence: FenceRow): void {
  const sharded = changes.get<ShardedBlobRow>(rowKeys.shardedBlob(blobId))
  if (sharded === undefined) {
    invariant(changes.has(rowKeys.inlineBlob(blobId)), `blob ${blobId} of a version or part has a row`)
    changes.delete(rowKeys.inlineBlob(blobId))
  } else {
    const { holders, generation } = sharded.blob
    changes.delete(rowKeys.shardedBlob(blobId))
    changes.put(rowKeys.garbage(blobId), { holders, generation, sinceMs: fence.sinceMs } satisfies GarbageRow)
  }
  changes.put(rowKeys.fence(blobId), fence)
}

/** Whether a version or part refers to the blob. */
export function isReferenced(changes: RowChanges, blobId: string): boolean {
  return changes.has(rowKeys.shardedBlob(blobId)) || changes.has(rowKeys.inlineBlob(blobId))
}

/** Whether a version or part of this key refers to the blob. */
export function isOwner(
  changes: RowChanges,
  blobId: string,
  owner: { bucketId: string; key: string },
): boolean {
  const row =
    changes.get<ShardedBlobRow>(rowKeys.shardedBlob(blobId)) ??
    changes.get<InlineBlobRow>(rowKeys.inlineBlob(blobId))
  return row?.bucketId === owner.bucketId && row.key === owner.key
}

/**
 * A shard has moved, or is about to (`step: 'claim'`). Repeating it is answered like the first time.
 * Refuses: ShardNotFound (no such blob), GenerationMismatch (other generation, holder or claim; details tell which).
 *
 * Invariant: a node becomes holder of a shard by a claim only if the claim was made before and still stands. So a copy
 * that a node had when it was neither holder nor claimed never becomes one that a row refers to (gc-worker.ts).
 */
export function relocateShard(
  changes: RowChanges,
  command: Command<'relocate-shard'>,
): CatalogReplies['relocate-shard'] {
  const { blobId, generation, shardIndex, from, to, claimId } = command
  const row = changes.get<ShardedBlobRow>(rowKeys.shardedBlob(blobId))
  const holder = row?.blob.holders[shardIndex]
  if (row === undefined || holder === undefined) {
    throw new ClusterError('ShardNotFound', 'no version refers to this shard', {
      details: { blobId, shardIndex },
    })
  }
  const claims = row.claims ?? []
  const claim = claims.find((one) => one.shardIndex === shardIndex)
  const others = claims.filter((one) => one.shardIndex !== shardIndex)
  const repeated = command.step !== 'claim' && holder === to
  if (row.blob.generation !== generation || (holder !== from && !repeated)) {
    throw new ClusterError('GenerationMismatch', 'the shard has another generation or holder', {
      details: { blobId, shardIndex, generation: row.blob.generation, holder },
    })
  }
  if (repeated) return {}
  if (command.step === 'claim') {
    // Withdrawing names the claim: that of somebody else stays.
    const kept = to === from && claim !== undefined && claim.claimId !== claimId ? [claim] : []
    const made = to === from || claimId === undefined ? kept : [{ shardIndex, to, claimId }]
    putBlobRow(changes, row, { blob: row.blob, claims: [...others, ...made] })
    return {}
  }
  if (claimId !== undefined && (claim?.claimId !== claimId || claim.to !== to)) {
    throw new ClusterError('GenerationMismatch', 'the claim of this move no longer stands', {
      details: { blobId, shardIndex, holder },
    })
  }
  const holders = row.blob.holders.with(shardIndex, to)
  putBlobRow(changes, row, { blob: { ...row.blob, holders }, claims: others })
  return {}
}

function putBlobRow(
  changes: RowChanges,
  before: ShardedBlobRow,
  change: Required<Pick<ShardedBlobRow, 'blob' | 'claims'>>,
): void {
  const { blob } = change
  const { claims, ...rest } = before
  const row: ShardedBlobRow = {
    ...rest,
    blob,
    ...(change.claims.length === 0 ? {} : { claims: change.claims }),
  }
  changes.put(rowKeys.shardedBlob(blob.blobId), row)
}

/** Fences what nothing refers to, and tells what something does. Blobs that are dead already stay as they are. */
export function abandonBlobs(
  changes: RowChanges,
  command: Command<'abandon-blobs'>,
): CatalogReplies['abandon-blobs'] {
  const referenced: string[] = []
  for (const blobId of new Set(command.blobIds)) {
    if (isReferenced(changes, blobId)) referenced.push(blobId)
    else if (!changes.has(rowKeys.fence(blobId))) {
      changes.put(rowKeys.fence(blobId), { sinceMs: command.nowMs } satisfies FenceRow)
    }
  }
  return { referenced }
}

/** Drops garbage rows; the fences stay. */
export function forgetGarbage(
  changes: RowChanges,
  command: Command<'forget-garbage'>,
): Record<string, never> {
  for (const blobId of command.blobIds) {
    if (changes.has(rowKeys.garbage(blobId))) changes.delete(rowKeys.garbage(blobId))
  }
  return {}
}

/** Drops fences that are old enough and whose blobs are no longer garbage. */
export function forgetFences(
  changes: RowChanges,
  command: Command<'forget-fences'>,
): CatalogReplies['forget-fences'] {
  let forgotten = 0
  for (const id of new Set(command.ids)) {
    const fence = changes.get<FenceRow>(rowKeys.fence(id))
    if (fence === undefined || command.nowMs - fence.sinceMs < catalogLimits.fenceMsMin) continue
    if (changes.has(rowKeys.garbage(id))) continue
    changes.delete(rowKeys.fence(id))
    forgotten += 1
  }
  return { forgotten }
}

function abandoned(blobId: string, state: 'fenced' | 'referenced'): ClusterError {
  const message =
    state === 'fenced' ? 'a blob of this write was given up or deleted' : 'a blob is in use elsewhere'
  return new ClusterError('VersionAbandoned', message, { details: { blobId, state } })
}
