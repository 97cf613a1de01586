/**
 * Metrics of a storage node that are read when somebody scrapes: its Raft groups, its disk and its journals.
 */
import { Gauge, type Registry } from 'prom-client'
import type { DiskUsageMeter } from './io/disk-usage.ts'
import type { JournalState } from './services/journal-service.ts'
import type { Group } from './services/replica-group.ts'

export interface NodeGauges {
  readonly groups: () => Iterable<Group>
  readonly disk: DiskUsageMeter
  readonly journals: () => readonly JournalState[]
}

/** Registers the gauges; the label `group` takes the ids of the cluster map. */
export function registerNodeGauges(registry: Registry, sources: NodeGauges): void {
  const perGroup = (name: string, help: string, read: (group: Group) => number) =>
    new Gauge({
      name: `bundescloud_raft_${name}`,
      help,
      labelNames: ['group'],
      registers: [registry],
      collect() {
        for (const group of sources.groups()) this.set({ group: group.groupId }, read(group))
      },
    })
  perGroup('leader', '1 when this node leads the group', (group) =>
    group.status().role === 'leader' ? 1 : 0,
  )
  perGroup('leader_known', '1 when this node knows a leader of the group', (group) =>
    group.status().leaderId === undefined ? 0 : 1,
  )
  perGroup('term', 'Raft term', (group) => group.status().term)
  perGroup('commit_index', 'Last committed index known here', (group) => group.status().commitIndex)
  perGroup('applied_index', 'Last index applied here', (group) => group.status().appliedIndex)
  perGroup('log_bytes', 'Bytes of the log that are kept', (group) => group.status().logBytes)
  perGroup('proposals', 'Proposals that are not answered yet', (group) => group.status().proposals)

  const perJournal = (name: string, help: string, read: (journal: JournalState) => number) =>
    new Gauge({
      name: `bundescloud_journal_${name}`,
      help,
      labelNames: ['group'],
      registers: [registry],
      collect() {
        for (const journal of sources.journals()) this.set({ group: journal.groupId }, read(journal))
      },
    })
  perJournal(
    'lag_entries',
    'Committed entries that no co-signed block holds yet',
    (state) => state.lagEntries,
  )
  perJournal('lag_seconds', 'For how long there have been such entries', (state) => state.lagMs / 1_000)
  perJournal('batches', 'Co-signed batches stored here', (state) => state.batches)

  const size = new Gauge({
    name: 'bundescloud_disk_size_bytes',
    help: 'Size of the disk with the shards',
    registers: [registry],
  })
  const shards = new Gauge({
    name: 'bundescloud_shards_stored',
    help: 'Sealed shards on this disk',
    registers: [registry],
  })
  const bytes = new Gauge({
    name: 'bundescloud_shards_stored_bytes',
    help: 'Bytes of their files',
    registers: [registry],
  })
  new Gauge({
    name: 'bundescloud_disk_free_bytes',
    help: 'Free bytes on the disk with the shards',
    registers: [registry],
    async collect() {
      const usage = await sources.disk.read()
      this.set(usage.freeBytes)
      size.set(usage.sizeBytes)
      shards.set(usage.shards)
      bytes.set(usage.shardBytes)
    },
  })
}
