/**
 * The metrics of shards: one table, from which the process registers them with prom-client.
 *
 * Invariant: labels come from the closed sets here. Services count through `ShardMetrics` and know no registry.
 */

export interface MetricSpec {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly label?: { readonly name: string; readonly values: readonly string[] }
}

export const shardMetrics = {
  bundescloud_shards_written_bytes_total: {
    type: 'counter',
    help: 'Bytes of framed cells written to shards',
  },
  bundescloud_shards_read_bytes_total: { type: 'counter', help: 'Bytes of framed cells read from shards' },
  bundescloud_shards_sealed_total: { type: 'counter', help: 'Shards made durable' },
  bundescloud_shards_deleted_total: {
    type: 'counter',
    help: 'Shards removed from the disk, by who asked',
    label: { name: 'reason', values: ['request', 'garbage', 'abandoned', 'moved'] },
  },
  bundescloud_shards_aborted_total: {
    type: 'counter',
    help: 'Shards that were begun and not sealed, by cause',
    label: { name: 'reason', values: ['request', 'idle'] },
  },
  bundescloud_shards_refused_total: {
    type: 'counter',
    help: 'Requests refused because a bound was reached, by bound',
    label: { name: 'reason', values: ['bytes', 'reads', 'space', 'open'] },
  },
  bundescloud_shards_corrupt_total: {
    type: 'counter',
    help: 'Corrupt shards found on this disk, by finder',
    label: { name: 'reason', values: ['read', 'scrub'] },
  },
  bundescloud_shards_quarantined: { type: 'gauge', help: 'Corrupt shards set aside and not yet replaced' },
  bundescloud_shards_scrubbed_bytes_total: { type: 'counter', help: 'Bytes of shards verified by scrub' },
  bundescloud_shards_scrub_last_end_seconds: {
    type: 'gauge',
    help: 'Unix time at which the last whole scrub of this disk ended',
  },
  bundescloud_shards_gc_doubts_total: {
    type: 'counter',
    help: 'Unreferenced shards that were kept because something could not be asked or proved, by what',
    label: { name: 'reason', values: ['catalog', 'holder'] },
  },
  bundescloud_shards_open: { type: 'gauge', help: 'Shards being written' },
  bundescloud_shards_free_bytes: { type: 'gauge', help: 'Free disk space for shards, beyond the reserve' },
  bundescloud_blobs_sharded: { type: 'gauge', help: 'Sharded blobs at the last census, of groups led here' },
  bundescloud_blobs_degraded: {
    type: 'gauge',
    help: 'Readable blobs with shards missing at the last census, by number missing',
    label: { name: 'missing', values: ['1', '2', '3', '4', 'more'] },
  },
  bundescloud_blobs_lost: { type: 'gauge', help: 'Blobs with fewer good shards than it takes to read them' },
  bundescloud_blobs_misplaced: {
    type: 'gauge',
    help: 'Whole blobs whose shards could be spread better (doubled up, or on nodes that are to be emptied)',
  },
  bundescloud_repair_backlog_blobs: { type: 'gauge', help: 'Blobs that wait for repair, of groups led here' },
  bundescloud_repair_shards_total: {
    type: 'counter',
    help: 'Shards that repair has dealt with, by outcome',
    label: { name: 'outcome', values: ['rebuilt', 'moved', 'failed'] },
  },
  bundescloud_repair_read_bytes_total: { type: 'counter', help: 'Bytes that rebuilds have read' },
  bundescloud_census_last_end_seconds: {
    type: 'gauge',
    help: 'Unix time at which the oldest last census of the groups led here ended',
  },
  bundescloud_gc_garbage_blobs: { type: 'gauge', help: 'Dead blobs not yet deleted at all holders' },
  bundescloud_gc_forgotten_blobs_total: { type: 'counter', help: 'Dead blobs deleted at all holders' },
  bundescloud_lifecycle_removed_total: {
    type: 'counter',
    help: 'What lifecycle rules have removed, by kind; current: versions that clients saw',
    label: { name: 'kind', values: ['current', 'version', 'marker', 'upload'] },
  },
  bundescloud_lifecycle_protected_total: {
    type: 'counter',
    help: 'Versions that a rule would have removed and that retention or a legal hold kept, every round anew',
  },
  bundescloud_lifecycle_last_end_seconds: {
    type: 'gauge',
    help: 'Unix time at which the last walk of lifecycle rules over a group led here ended',
  },
} as const satisfies Record<string, MetricSpec>

export type ShardMetric = keyof typeof shardMetrics

type LabelOf<M extends ShardMetric> = (typeof shardMetrics)[M] extends {
  label: { values: readonly (infer V extends string)[] }
}
  ? [label: V]
  : []

/** What services count with. */
export interface ShardMetrics {
  add<M extends ShardMetric>(metric: M, value: number, ...label: LabelOf<M>): void
  set<M extends ShardMetric>(metric: M, value: number, ...label: LabelOf<M>): void
}

/** Counts into a plain map, keyed `name` or `name{label}`; for tests and processes without an exporter. */
export class MetricCounts implements ShardMetrics {
  readonly values = new Map<string, number>()

  add<M extends ShardMetric>(metric: M, value: number, ...label: LabelOf<M>): void {
    const name = keyOf(metric, label[0])
    this.values.set(name, (this.values.get(name) ?? 0) + value)
  }

  set<M extends ShardMetric>(metric: M, value: number, ...label: LabelOf<M>): void {
    this.values.set(keyOf(metric, label[0]), value)
  }
}

/**
 * Gauges of several groups in one process: what is shown is their sum, or the smallest of times.
 * A group that is no longer led here is withdrawn and counts no more.
 */
export class GroupGauges {
  readonly #metrics: ShardMetrics
  readonly #parts = new Map<string, Map<string, number>>()

  constructor(metrics: ShardMetrics) {
    this.#metrics = metrics
  }

  set<M extends ShardMetric>(groupId: string, metric: M, value: number, ...label: LabelOf<M>): void {
    const key = keyOf(metric, label[0])
    const parts = this.#parts.get(key) ?? new Map<string, number>()
    this.#parts.set(key, parts)
    parts.set(groupId, value)
    const values = [...parts.values()]
    const combined = metric.endsWith('_seconds') ? Math.min(...values) : values.reduce((a, b) => a + b, 0)
    this.#metrics.set(metric, combined, ...label)
  }

  withdraw<M extends ShardMetric>(groupId: string, metric: M, ...label: LabelOf<M>): void {
    const parts = this.#parts.get(keyOf(metric, label[0]))
    if (parts?.delete(groupId) !== true) return
    const [other, value] = [...parts][0] ?? []
    if (other !== undefined && value !== undefined) this.set(other, metric, value, ...label)
    else this.#metrics.set(metric, 0, ...label)
  }
}

function keyOf(metric: string, label: string | undefined): string {
  return label === undefined ? metric : `${metric}{${label}}`
}
