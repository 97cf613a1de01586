/**
 * Events that wait to be told to notification targets: kept in the command that makes them happen, until a gateway has
 * told them (core/notification.ts has the rules, gateway/notification the delivery).
 *
 * Invariants: an event is there exactly when its write is; ids rise with the order of writes; no more than `eventsMax`
 * are kept, so that a target that never answers cannot fill the disk: further ones are dropped, and counted for the
 * operators' alert.
 */
import { prefixEnd } from './byte-order.ts'
import { catalogLimits, type EventRow, type EventTallyRow, rowFamilies, rowKeys } from './catalog-rows.ts'
import type {
  CatalogAnswers,
  CatalogCommand,
  CatalogQuery,
  CatalogReplies,
  StoredEvent,
} from './catalog-types.ts'
import type { NoticeEvent } from './notification.ts'
import { decodedRows, type RowChanges } from './row-changes.ts'
import { decodeRow } from './row-codec.ts'
import type { RowSource } from './rows.ts'

const noTally: EventTallyRow = { kept: 0, dropped: 0 }

/** Digits of an event's id: Raft's index in hex, so that ids sort as numbers do. */
const idDigits = 14

/**
 * Keeps the event of a command that was applied, if it carried a notice for what it turned out to do.
 * `reply`: of that command. `index`: of its entry.
 */
export function keepEvent(
  changes: RowChanges,
  { command, reply, index }: { command: CatalogCommand; reply: object; index: number },
): void {
  if (!('notice' in command) || command.notice === undefined) return
  const happened = happening(command, reply as CatalogReplies[typeof command.kind])
  if (happened?.event === undefined) return
  const tally = changes.get<EventTallyRow>(rowKeys.eventTally) ?? noTally
  if (tally.kept >= catalogLimits.eventsMax) {
    changes.put(rowKeys.eventTally, { ...tally, dropped: tally.dropped + 1 } satisfies EventTallyRow)
    return
  }
  const { notice, bucketId } = command
  const { event, ...details } = happened
  const { ownerId, bucketName, principalId, sourceIp, requestId } = notice
  const eventId = index.toString(16).padStart(idDigits, '0')
  const stored: StoredEvent = {
    eventId,
    bucketId,
    ownerId,
    name: event.name,
    targets: event.targets,
    ...details,
    notice: { bucketName, principalId, sourceIp, requestId },
  }
  changes.put(rowKeys.event(eventId), { event: stored } satisfies EventRow)
  changes.put(rowKeys.eventTally, { ...tally, kept: tally.kept + 1 } satisfies EventTallyRow)
}

type Noticed = Extract<CatalogCommand, { readonly notice?: unknown }>
type Happening = Pick<StoredEvent, 'key' | 'timeMs' | 'versionId' | 'bytes' | 'etag'> & {
  readonly event: NoticeEvent | undefined
}

/** What a command did, as its reply tells; undefined: nothing that is an event. */
function happening(command: Noticed, reply: object): Happening | undefined {
  switch (command.kind) {
    case 'put-version': {
      const { versionId, modifiedMs, versioning } = reply as CatalogReplies['put-version']
      const { key, bytes, etag } = command.version
      const shown = shownId(versionId, versioning)
      return { event: command.notice?.done, key, bytes, etag, timeMs: modifiedMs, ...shown }
    }
    case 'complete-upload': {
      const { versionId, modifiedMs, versioning, bytes, etag } = reply as CatalogReplies['complete-upload']
      const shown = shownId(versionId, versioning)
      return { event: command.notice?.done, key: command.key, bytes, etag, timeMs: modifiedMs, ...shown }
    }
    case 'delete-object': {
      const { existed, marker } = reply as CatalogReplies['delete-object']
      const { key, nowMs: timeMs } = command
      if (marker === undefined) return existed ? { event: command.notice?.removed, key, timeMs } : undefined
      const shown = { versionId: marker.versioned === true ? marker.versionId : 'null' }
      return { event: command.notice?.marked, key, timeMs, ...shown }
    }
    case 'delete-version': {
      const { existed } = reply as CatalogReplies['delete-version']
      const { key, versionId, nowMs: timeMs } = command
      return existed ? { event: command.notice?.removed, key, timeMs, versionId } : undefined
    }
    case 'amend-version':
      return { event: command.notice?.done, key: command.key, timeMs: command.nowMs }
  }
}

/** The id that clients see; none while versioning was never on. */
function shownId(versionId: string, versioning: CatalogReplies['put-version']['versioning']) {
  if (versioning === undefined || versioning === 'Off') return {}
  return { versionId: versioning === 'Enabled' ? versionId : 'null' }
}

/** Lets go of events that were told; ids that are not there are passed over. */
export function forgetEvents(
  changes: RowChanges,
  { eventIds }: Extract<CatalogCommand, { kind: 'forget-events' }>,
): CatalogReplies['forget-events'] {
  const there = [...new Set(eventIds)].filter((eventId) => changes.has(rowKeys.event(eventId)))
  if (there.length === 0) return { forgotten: 0 }
  for (const eventId of there) changes.delete(rowKeys.event(eventId))
  const tally = changes.get<EventTallyRow>(rowKeys.eventTally) ?? noTally
  changes.put(rowKeys.eventTally, { ...tally, kept: tally.kept - there.length } satisfies EventTallyRow)
  return { forgotten: there.length }
}

/** Events in the order of their ids. */
export async function listEvents(
  source: RowSource,
  { after, limit }: Extract<CatalogQuery, { kind: 'list-events' }>,
): Promise<CatalogAnswers['list-events']> {
  const events: StoredEvent[] = []
  const gte = after === '' ? rowFamilies.event : `${rowKeys.event(after)}\u0000`
  const { dropped } = decodedRows(source).get<EventTallyRow>(rowKeys.eventTally) ?? noTally
  if (limit === 0) return { events, dropped }
  for await (const row of source.scan({ gte, lt: prefixEnd(rowFamilies.event), limit })) {
    events.push(decodeRow<EventRow>(row.value).event)
  }
  return { events, dropped }
}
