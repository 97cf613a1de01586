/**
 * The load generator of the benchmark, a process of its own so that its CPU is not counted. One round per line on
 * standard input (a `Round`), one `RoundResult` per line on standard output.
 */
import { createInterface } from 'node:readline'
import { bodyOf } from '../workload/bodies.ts'
import { S3Connection, type S3Target, unexpected } from '../workload/s3-connection.ts'

export interface Round {
  readonly target: S3Target
  readonly bucket: string
  readonly op: 'PUT' | 'GET'
  readonly objectBytes: number
  readonly clients: number
  /** The round ends when this time is over and so many operations are done, or at `opsMax`. */
  readonly seconds: number
  readonly opsMin: number
  readonly opsMax: number
  /** Keys are reused in a circle of this length. */
  readonly keys: number
}

export interface RoundResult {
  readonly ops: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly errors: number
  readonly firstError: string | undefined
}

/** Errors after which a round is given up: it measures nothing any more. */
const errorsMax = 100

async function runRound(round: Round): Promise<RoundResult> {
  const connection = new S3Connection(round.target, { connections: round.clients })
  const body = bodyOf(`bench-${round.objectBytes}`, round.objectBytes)
  const latencies: number[] = []
  const start = performance.now()
  let begun = 0
  let errors = 0
  let firstError: string | undefined
  const goesOn = (): boolean =>
    errors < errorsMax &&
    begun < round.opsMax &&
    (begun < round.opsMin || performance.now() - start < round.seconds * 1_000)
  const client = async (): Promise<void> => {
    while (goesOn()) {
      const key = `${round.objectBytes}/${begun % round.keys}`
      begun += 1
      const before = performance.now()
      try {
        const answer =
          round.op === 'PUT'
            ? await connection.put(round.bucket, key, body)
            : await connection.get(round.bucket, key, 'drop')
        if (answer.status !== 200) throw unexpected(round.op, answer)
        if (round.op === 'GET' && answer.bytes !== round.objectBytes)
          throw new Error(`got ${answer.bytes} bytes`)
        latencies.push(performance.now() - before)
      } catch (error) {
        errors += 1
        firstError ??= error instanceof Error ? error.message : String(error)
      }
    }
  }
  await Promise.all(Array.from({ length: round.clients }, client))
  const seconds = (performance.now() - start) / 1_000
  connection.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
  return { ops: latencies.length, seconds, p50Ms: at(0.5), p99Ms: at(0.99), errors, firstError }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await runRound(JSON.parse(line) as Round))}\n`)
}
