/**
 * A request on its way from a connection to its handler: what the transport hands to the funnel and gets back.
 *
 * Invariant: whoever is in `from` has proved the key of that node of the current cluster map.
 */
import type { MapNode } from '../core/cluster-map.ts'
import type { ConnectionClass } from './messages.ts'

/** One request as it arrived; the payload is not decoded yet. */
export interface Inbound {
  readonly from: MapNode
  readonly messageId: number
  readonly oneWay: boolean
  readonly connection: ConnectionClass
  readonly payload: Buffer
  /** The receiver's own; it may give the buffer back by `release`, and must not look at it afterwards. */
  readonly body: Buffer | undefined
  readonly release: (() => void) | undefined
  /** How long the caller waits, from the arrival; 0: it did not say. */
  readonly timeoutMs: number
  /** Aborted when the caller gave up or the connection died. */
  readonly signal: AbortSignal
}

export interface Outbound {
  readonly reply: unknown
  /** Sent without being copied: it must not change before `sent`. */
  readonly body?: readonly Uint8Array[] | undefined
  /** Called once: the socket no longer reads `body`, or never will. */
  readonly sent?: (() => void) | undefined
}

/** Answers one request; what it throws is told to the caller (ClusterError) or hidden as Internal. */
export type Serve = (inbound: Inbound) => Promise<Outbound>
