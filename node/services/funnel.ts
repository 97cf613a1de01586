/**
 * The one place that every request of a peer passes: role check, decoding, metrics, dispatch.
 *
 * Invariants: a handler never sees a message that its sender's roles do not allow; every request is counted exactly
 * once with its outcome; labels come from the tables of messages and errors, never from the wire.
 * Leaves to others: admission (transport), bounds per connection (channel-server.ts), what messages do (handlers).
 */
import type { Counter, Histogram } from 'prom-client'
import { ClusterError } from '../errors.ts'
import { decodePayload } from '../protocol/codec.ts'
import type { Inbound, Outbound, Serve } from '../protocol/inbound.ts'
import {
  type Handlers,
  type MessageName,
  type MessageSpec,
  messages,
  type Requests,
} from '../protocol/messages.ts'

/** RED of the requests that peers send us: labels `message` and `outcome` (`ok` or an error code). */
export interface FunnelMetrics {
  readonly requests: Counter<'message' | 'outcome'>
  readonly seconds: Histogram<'message'>
}

export interface FunnelOptions {
  readonly handlers: Handlers
  /** Epoch of our cluster map, told in the answer to every ping. */
  readonly epoch: () => number
  /** A caller told the epoch of its map. */
  readonly heardEpoch?: (nodeId: string, epoch: number) => void
  /** A caller told where it listens; nothing of it is checked yet (AddressBook.accept does). */
  readonly heardAddress?: (record: unknown) => void
  readonly metrics?: FunnelMetrics
}

interface Row {
  readonly name: MessageName
  readonly spec: MessageSpec
}

/** Label of messages that are not in our table: a newer peer, or nonsense. */
const unknownMessage = 'unknown'

/** The function that a transport calls for every request; it answers `ping` itself. */
export function createFunnel(options: FunnelOptions): Serve {
  const rows = messageRows()
  const handlers: Handlers = {
    ping: async (request, { from }) => {
      if (typeof request.epoch === 'number') options.heardEpoch?.(from, request.epoch)
      if (request.address !== undefined) options.heardAddress?.(request.address)
      return { reply: { receivedMs: Date.now(), epoch: options.epoch() } }
    },
    ...options.handlers,
  }
  const { metrics } = options
  return async (inbound) => {
    const row = rows[inbound.messageId]
    const startMs = performance.now()
    let outcome: string = 'ok'
    try {
      return await dispatch(handlers, inbound, row)
    } catch (error) {
      outcome = error instanceof ClusterError ? error.code : 'Internal'
      throw error
    } finally {
      if (metrics) {
        const message = row?.name ?? unknownMessage
        metrics.requests.inc({ message, outcome })
        metrics.seconds.observe({ message }, (performance.now() - startMs) / 1_000)
      }
    }
  }
}

function dispatch(handlers: Handlers, inbound: Inbound, row: Row | undefined): Promise<Outbound> {
  if (row === undefined) {
    throw new ClusterError('BadMessage', `message ${inbound.messageId} is not known here`)
  }
  const { name, spec } = row
  if (spec.connection !== inbound.connection || (spec.oneWay ?? false) !== inbound.oneWay) {
    throw new ClusterError('BadMessage', `${name} does not travel like this`)
  }
  if (!inbound.from.roles.some((role) => spec.from.includes(role))) {
    throw new ClusterError('Forbidden', `${inbound.from.nodeId} has no role that may send ${name}`)
  }
  return handle(handlers, name, inbound)
}

function handle<M extends MessageName>(handlers: Handlers, name: M, inbound: Inbound): Promise<Outbound> {
  const handler = handlers[name]
  if (handler === undefined) {
    throw new ClusterError('Forbidden', `this node does not serve ${name}`)
  }
  const request: unknown = decodePayload(inbound.payload)
  if (typeof request !== 'object' || request === null) {
    throw new ClusterError('BadMessage', `the request of ${name} is no map`)
  }
  // Fields are checked by the handler: the table of messages has types, not schemas.
  return handler(request as Requests[M], {
    from: inbound.from.nodeId,
    body: inbound.body,
    release: inbound.release,
    timeoutMs: inbound.timeoutMs,
    // Not spread or read here: the signal is made when a handler asks for it.
    get signal() {
      return inbound.signal
    },
  })
}

function messageRows(): readonly (Row | undefined)[] {
  const rows: (Row | undefined)[] = []
  for (const [name, spec] of Object.entries(messages)) rows[spec.id] = { name: name as MessageName, spec }
  return rows
}
