/**
 * The metrics of one process: its registry, what every process has, and tables of metrics that services count in.
 *
 * Invariants: every process has a registry of its own (none is global, so that several can live in one test); names
 * are `bundescloud_<noun>_<unit>`; labels come from closed sets: a value that is not in the table is a bug.
 * Leaves to others: serving them (io/admin-server.ts), what to alert on (ops/prometheus).
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { clusterErrors } from './errors.ts'
import { messages } from './protocol/messages.ts'
import type { PeerState } from './world.ts'

/** One metric of a table; counters and gauges with at most one label from a closed set. */
export interface MetricSpec {
  readonly type: 'counter' | 'gauge'
  readonly help: string
  readonly label?: { readonly name: string; readonly values: readonly string[] }
}

/** What services count with; a label is given when the table has one. */
export interface TableMetrics<M extends string> {
  add(metric: M, value: number, label?: string): void
  set(metric: M, value: number, label?: string): void
}

export interface MetricsOptions {
  /** Kind of the process: gateway, node, dht, auditor. */
  readonly process: string
  readonly nodeId: string
  readonly version: string
}

/** How often the event loop is looked at: seldom enough for an idle process to be idle. */
const lagResolutionMs = 50

/** Seconds; from a call on loopback to one that waits for a slow disk. */
export const latencyBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20,
]

export class Metrics {
  readonly registry = new Registry()

  constructor(options: MetricsOptions) {
    // Its own event-loop gauge wakes an idle process a hundred times a second; ours replaces it.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 1_000 })
    const build = new Gauge({
      name: 'bundescloud_build_info',
      help: 'Always 1; the labels say what runs',
      labelNames: ['process', 'node', 'version', 'runtime'],
      registers: [this.registry],
    })
    const { process: kind, nodeId, version } = options
    build.set({ process: kind, node: nodeId, version, runtime: process.version }, 1)
    this.#eventLoop()
  }

  /** Registers a table; every series exists from the start, so that rates work from the first event on. */
  table<M extends string>(specs: Readonly<Record<M, MetricSpec>>): TableMetrics<M> {
    const counters = new Map<string, Counter>()
    const gauges = new Map<string, Gauge>()
    for (const [name, spec] of Object.entries<MetricSpec>(specs)) {
      const labelNames = spec.label ? [spec.label.name] : []
      const options = { name, help: spec.help, labelNames, registers: [this.registry] }
      const metric = spec.type === 'counter' ? new Counter(options) : new Gauge(options)
      if (metric instanceof Counter) counters.set(name, metric)
      else gauges.set(name, metric)
      for (const value of spec.label?.values ?? []) metric.inc({ [spec.label?.name ?? '']: value }, 0)
    }
    const labels = (metric: M, label: string | undefined): Record<string, string> => {
      const spec: MetricSpec = specs[metric]
      if (spec.label === undefined && label === undefined) return {}
      if (spec.label === undefined || label === undefined || !spec.label.values.includes(label)) {
        throw new Error(`${metric} has no label ${label}`)
      }
      return { [spec.label.name]: label }
    }
    return {
      add: (metric, value, label) => {
        const series = counters.get(metric) ?? gauges.get(metric)
        series?.inc(labels(metric, label), value)
      },
      set: (metric, value, label) => {
        gauges.get(metric)?.set(labels(metric, label), value)
      },
    }
  }

  /** RED of the requests that peers send us; see services/funnel.ts. */
  funnel(): { requests: Counter<'message' | 'outcome'>; seconds: Histogram<'message'> } {
    const registers = [this.registry]
    const requests = new Counter({
      name: 'bundescloud_peer_requests_total',
      help: `Requests of peers by message and outcome (ok or one of ${Object.keys(clusterErrors).length} error codes)`,
      labelNames: ['message', 'outcome'] as const,
      registers,
    })
    const seconds = new Histogram({
      name: 'bundescloud_peer_request_seconds',
      help: 'Time to answer a request of a peer, by message',
      labelNames: ['message'] as const,
      buckets: latencyBuckets,
      registers,
    })
    for (const message of Object.keys(messages)) requests.inc({ message, outcome: 'ok' }, 0)
    return { requests, seconds }
  }

  /** Liveness and round trips of the peers that `peers` gives at every scrape; label: ids of the cluster map. */
  peers(peers: () => readonly PeerState[]): void {
    const registers = [this.registry]
    new Gauge({
      name: 'bundescloud_peer_up',
      help: '1 when this process reaches the peer, 0 when not',
      labelNames: ['peer'],
      registers,
      collect() {
        this.reset()
        for (const { nodeId, up } of peers()) this.set({ peer: nodeId }, up ? 1 : 0)
      },
    })
    new Gauge({
      name: 'bundescloud_peer_round_trip_seconds',
      help: 'Smoothed round trip of pings to the peer',
      labelNames: ['peer'],
      registers,
      collect() {
        this.reset()
        for (const { nodeId, up, rttMs } of peers()) {
          if (up && rttMs !== undefined) this.set({ peer: nodeId }, rttMs / 1_000)
        }
      },
    })
  }

  /** How far the clock of this process is from what most members say; see services/agreed-clock.ts. */
  clockOffset(offsetMs: () => number): void {
    new Gauge({
      name: 'bundescloud_clock_offset_seconds',
      help: 'How far the time that most members agree on is ahead of the clock of this process',
      registers: [this.registry],
      collect() {
        this.set(offsetMs() / 1_000)
      },
    })
  }

  #eventLoop(): void {
    const delay = monitorEventLoopDelay({ resolution: lagResolutionMs })
    delay.enable()
    new Gauge({
      name: 'bundescloud_event_loop_lag_seconds',
      help: 'How late timers of this process were since the last scrape',
      labelNames: ['quantile'],
      registers: [this.registry],
      collect() {
        // Nanoseconds, and the sampling interval is in them.
        const lag = (nanoseconds: number) => Math.max(nanoseconds / 1e9 - lagResolutionMs / 1e3, 0)
        if (delay.count > 0) {
          this.set({ quantile: '0.5' }, lag(delay.percentile(50)))
          this.set({ quantile: '0.99' }, lag(delay.percentile(99)))
          this.set({ quantile: '1' }, lag(delay.max))
        }
        delay.reset()
      },
    })
  }
}

/** What the transport refuses and drops; feeds `TransportObserver`. */
export const wireMetrics = {
  bundescloud_peer_refused_total: {
    type: 'counter',
    help: 'Connections to us that were refused or cut, by reason',
    label: {
      name: 'reason',
      values: ['handshake', 'unadmitted', 'version', 'too-many', 'malformed', 'revoked'],
    },
  },
  bundescloud_peer_dropped_total: {
    type: 'counter',
    help: 'One-way messages that were dropped because the peer was down or slow, by message',
    label: { name: 'message', values: ['raft', 'raft-bulk'] },
  },
  bundescloud_member_missing: {
    type: 'gauge',
    help: 'Members of the cluster map whose address is not known',
  },
  bundescloud_member_links: { type: 'gauge', help: 'Open swarm connections to members' },
  bundescloud_map_epoch: { type: 'gauge', help: 'Epoch of the newest cluster map that this process knows' },
} as const satisfies Record<string, MetricSpec>
