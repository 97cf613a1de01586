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
  bundescloud_shards_open: { type: 'gauge', help: 'Shards being written' },
  bundescloud_shards_free_bytes: { type: 'gauge', help: 'Free disk space for shards, beyond the reserve' },
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

function keyOf(metric: string, label: string | undefined): string {
  return label === undefined ? metric : `${metric}{${label}}`
}
