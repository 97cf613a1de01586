/**
 * Rate, errors and duration of every S3 operation. Labels come from the operation table and the error table only.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { QueryErrorCode } from './iam/query-error.ts'
import type { S3ErrorCode } from './s3/errors.ts'

/** Seconds; from an inlined read to a large object at a slow reader. */
const durationBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** `OK` for every 2xx, else the code of the error answer. */
export type Outcome = S3ErrorCode | QueryErrorCode | 'OK'

/** A request whose operation is not known (bad address, no row). */
export const unknownOperation = 'Unknown'

export interface FinishedRequest {
  readonly operation: string
  readonly outcome: Outcome
  readonly durationMs: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export interface GatewayMetrics {
  begin(): void
  finish(request: FinishedRequest): void
}

interface Handles {
  readonly duration: Histogram.Internal<'operation'>
  readonly bytesIn: Counter.Internal
  readonly bytesOut: Counter.Internal
  readonly outcomes: Map<Outcome, Counter.Internal>
}

export function createGatewayMetrics(registry: Registry): GatewayMetrics {
  const registers = [registry]
  const requests = new Counter({
    name: 'bundescloud_s3_requests_total',
    help: 'S3 requests answered, by operation and error code (OK: success).',
    labelNames: ['operation', 'code'],
    registers,
  })
  const duration = new Histogram({
    name: 'bundescloud_s3_request_duration_seconds',
    help: 'Time from the headers of a request to the last byte of its answer, by operation.',
    labelNames: ['operation'],
    buckets: durationBuckets,
    registers,
  })
  const bytes = new Counter({
    name: 'bundescloud_s3_body_bytes_total',
    help: 'Bytes of S3 request bodies received (in) and of answers sent (out), by operation.',
    labelNames: ['operation', 'direction'],
    registers,
  })
  const inFlight = new Gauge({
    name: 'bundescloud_s3_requests_in_flight',
    help: 'S3 requests being served.',
    registers,
  })

  // Looking a label set up costs more than counting; the sets are closed, so the handles are kept.
  const handles = new Map<string, Handles>()
  const handlesOf = (operation: string): Handles => {
    let found = handles.get(operation)
    if (found === undefined) {
      found = {
        duration: duration.labels({ operation }),
        bytesIn: bytes.labels({ operation, direction: 'in' }),
        bytesOut: bytes.labels({ operation, direction: 'out' }),
        outcomes: new Map(),
      }
      handles.set(operation, found)
    }
    return found
  }

  return {
    begin() {
      inFlight.inc()
    },
    finish({ operation, outcome, durationMs, bytesIn, bytesOut }) {
      inFlight.dec()
      const found = handlesOf(operation)
      let counter = found.outcomes.get(outcome)
      if (counter === undefined) {
        counter = requests.labels({ operation, code: outcome })
        found.outcomes.set(outcome, counter)
      }
      counter.inc()
      found.duration.observe(durationMs / 1000)
      if (bytesIn > 0) found.bytesIn.inc(bytesIn)
      if (bytesOut > 0) found.bytesOut.inc(bytesOut)
    },
  }
}
