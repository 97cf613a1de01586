/** Lets a Raft group of this node be journaled: the consensus layer's `Group` as a `JournalGroup`. */
import type { CatalogCommand } from '../core/catalog-types.ts'
import type { CommittedEntry } from '../core/journal.ts'
import type { RegistryCommand } from '../core/registry-types.ts'
import type { JournalGroup } from './journal-log.ts'
import type { Group, LogRecord } from './replica-group.ts'

/** `retainFrom`: how the host keeps the log from being compacted from that index on. */
export function journalGroupOf(group: Group, retainFrom: (index: number) => void): JournalGroup {
  return {
    groupId: group.groupId,
    status: () => {
      const { leaderId, term, commitIndex, firstIndex } = group.status()
      return { leader: leaderId, term, committed: commitIndex, firstIndex }
    },
    entries: async (from, limit) => group.entries(from, limit).map(toCommittedEntry),
    onCommitted: (listener) => {
      const stops = [group.onCommitted(() => listener()), group.onLeadership(() => listener())]
      return () => {
        for (const stop of stops) stop()
      }
    },
    retainFrom,
  }
}

function toCommittedEntry(record: LogRecord): CommittedEntry {
  const { command, ...rest } = record
  if (command === undefined) return rest
  // What was proposed was checked when it was proposed; fields of a newer version are left out by the journal.
  return { ...rest, command: command as CatalogCommand | RegistryCommand }
}
