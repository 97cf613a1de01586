/**
 * The catalog's state machine: one of several replicated groups that decide about objects, versions and uploads.
 *
 * Owns the dispatch of commands, and that an error leaves no change. What each command means is in catalog-buckets,
 * catalog-versions, catalog-uploads and catalog-blobs; rows in catalog-rows; reads in catalog-queries. Which group a
 * key belongs to is in slots.ts, and is the caller's duty: a group takes what it is given.
 */
import { ClusterError } from '../errors.ts'
import { prefixEnd } from './byte-order.ts'
import { abandonBlobs, forgetFences, forgetGarbage, relocateShard } from './catalog-blobs.ts'
import { closeBucket, openBucket, setBucketRules } from './catalog-buckets.ts'
import { wrongWithCommand } from './catalog-check.ts'
import { forgetEvents, keepEvent } from './catalog-events.ts'
import { type KeyName, type PartRow, rowKeys, type UploadName } from './catalog-rows.ts'
import type { CatalogCommand, CatalogReplies, Part } from './catalog-types.ts'
import { abortUpload, completeUpload, createUpload, putPart } from './catalog-uploads.ts'
import { amendVersion, deleteObject, deleteVersion, putVersion } from './catalog-versions.ts'
import { invariant } from './invariant.ts'
import { RowChanges } from './row-changes.ts'
import { decodeRow } from './row-codec.ts'
import type { Row, RowRange } from './rows.ts'
import { kindOf } from './shape.ts'
import { type ApplyInput, type ApplyOutput, errorReply, type StateMachine } from './state-machine.ts'

/** The state machine; it has no state of its own, all is in the rows. */
export const catalog: StateMachine = { scansOf, apply }

/** The parts of an upload that is completed or aborted; what becomes current when the current version is removed. */
function scansOf(command: unknown): readonly RowRange[] {
  const kind = kindOf(command)
  if (kind !== 'complete-upload' && kind !== 'abort-upload' && kind !== 'delete-version') return []
  if (wrongWithCommand(command) !== undefined) return []
  if (kind === 'delete-version') {
    const history = rowKeys.historyOf(command as KeyName)
    return [{ gte: history, lt: prefixEnd(history), limit: 1 }]
  }
  const prefix = rowKeys.partsOf(command as UploadName)
  return [{ gte: prefix, lt: prefixEnd(prefix) }]
}

function apply(input: ApplyInput): ApplyOutput {
  const wrong = wrongWithCommand(input.command)
  if (wrong !== undefined) {
    return { reply: errorReply(new ClusterError('BadMessage', `catalog command${wrong}`)), mutations: [] }
  }
  const changes = new RowChanges(input.rows)
  try {
    const command = input.command as CatalogCommand
    const reply = run(changes, command, input)
    keepEvent(changes, { command, reply, index: input.index })
    return { reply, mutations: changes.mutations() }
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error
    return { reply: errorReply(error), mutations: [] }
  }
}

function run(
  changes: RowChanges,
  command: CatalogCommand,
  { scanned, leaderMs }: Pick<ApplyInput, 'scanned' | 'leaderMs'>,
): CatalogReplies[CatalogCommand['kind']] {
  switch (command.kind) {
    case 'open-bucket':
      return openBucket(changes, command)
    case 'close-bucket':
      return closeBucket(changes, command)
    case 'set-write-rules':
      return setBucketRules(changes, command)
    case 'put-version':
      return putVersion(changes, command, leaderMs)
    case 'delete-object':
      return deleteObject(changes, command, leaderMs)
    case 'delete-version':
      return deleteVersion(changes, command, { leaderMs, newest: scanned[0]?.[0] })
    case 'amend-version':
      return amendVersion(changes, command, leaderMs)
    case 'create-upload':
      return createUpload(changes, command)
    case 'put-part':
      return putPart(changes, command)
    case 'complete-upload':
      return completeUpload(changes, command, { parts: partsIn(scanned), leaderMs })
    case 'abort-upload':
      return abortUpload(changes, command, partsIn(scanned))
    case 'relocate-shard':
      return relocateShard(changes, command)
    case 'abandon-blobs':
      return abandonBlobs(changes, command)
    case 'forget-garbage':
      return forgetGarbage(changes, command)
    case 'forget-fences':
      return forgetFences(changes, command)
    case 'forget-events':
      return forgetEvents(changes, command)
  }
}

/** Without the scan, an upload would end and leave its parts behind: the host must have made it. */
function partsIn(scanned: readonly (readonly Row[])[]): Part[] {
  const [rows] = scanned
  invariant(rows !== undefined, 'the host scans the ranges of scansOf')
  return rows.map((row) => decodeRow<PartRow>(row.value).part)
}
