/**
 * Continuous PUT, GET and DELETE with verification: the judge of every fault test.
 *
 * It keeps the digest of everything that it ever tried to write. Every byte that comes back is checked against them,
 * and at the end every key's history must be linearizable: so an acknowledged object that is lost, an old version that
 * returns and a torn body are all found. Writers own their keys; readers read everybody's. Nothing is retried.
 */
import { bodyOf, seededRandom, sha256Hex } from './bodies.ts'
import { isLinearizable, type RegisterOperation } from './linearizable.ts'
import { type S3Answer, S3Connection, type S3Target } from './s3-connection.ts'

export const workloadLimits = {
  /** A writer goes on to a new key after so many writes, so that histories stay short and old keys stay untouched. */
  writesPerKey: 12,
  /** One write in so many deletes instead. */
  deleteOneIn: 10,
  /** One write in so many is read back by its writer at once: a loss must not hide behind the next write. */
  readBackOneIn: 3,
  /** A pause after an error, so that an outage is not answered with a storm. */
  pauseAfterErrorMs: 50,
} as const

export interface WorkloadOptions {
  readonly target: S3Target
  readonly bucket: string
  readonly writers: number
  readonly readers: number
  /** Sizes of bodies in bytes, chosen at random. */
  readonly sizes: readonly number[]
  readonly seed: number
}

export interface WorkloadReport {
  readonly writesAcknowledged: number
  readonly readsVerified: number
  readonly errors: Readonly<Record<string, number>>
  /** What must be empty: wrong bytes and histories that no single copy could have produced. */
  readonly violations: readonly string[]
  readonly keys: number
}

const absent = 'absent'

export class VerifiedWorkload {
  readonly #options: WorkloadOptions
  readonly #connection: S3Connection
  readonly #random: () => number
  /** Operations on each key, in the order of their ends. */
  readonly #histories = new Map<string, RegisterOperation[]>()
  /** Digests of all bodies ever sent to a key. */
  readonly #written = new Map<string, Set<string>>()
  readonly #errors = new Map<string, number>()
  readonly #violations: string[] = []
  #acknowledged = 0
  #readsVerified = 0
  #running = false
  #loops: Promise<void>[] = []
  #serial = 0

  constructor(options: WorkloadOptions) {
    this.#options = options
    this.#connection = new S3Connection(options.target)
    this.#random = seededRandom(options.seed)
  }

  start(): void {
    this.#running = true
    const { writers, readers } = this.#options
    this.#loops = [
      ...Array.from({ length: writers }, (_, index) => this.#write(index)),
      ...Array.from({ length: readers }, () => this.#readAtRandom()),
    ]
  }

  /** Ends the loops; nothing is in flight afterwards. */
  async stop(): Promise<void> {
    this.#running = false
    await Promise.all(this.#loops)
    this.#loops = []
  }

  get acknowledgedCount(): number {
    return this.#acknowledged
  }

  /** Reads every key once more, then judges every history. Call it when the cluster serves again and loops have stopped. */
  async verifyAll(): Promise<WorkloadReport> {
    for (const key of this.#histories.keys()) await this.#read(key)
    for (const [key, history] of this.#histories) {
      if (isLinearizable(history)) continue
      this.#violations.push(`${key} is not linearizable: ${JSON.stringify(history)}`)
    }
    return {
      writesAcknowledged: this.#acknowledged,
      readsVerified: this.#readsVerified,
      errors: Object.fromEntries(this.#errors),
      violations: this.#violations,
      keys: this.#histories.size,
    }
  }

  close(): void {
    this.#connection.close()
  }

  async #write(writer: number): Promise<void> {
    for (let generation = 0; this.#running; generation += 1) {
      const key = `writer-${writer}/${generation}`
      for (let step = 0; this.#running && step < workloadLimits.writesPerKey; step += 1) {
        const deletes = step > 0 && this.#random() < 1 / workloadLimits.deleteOneIn
        const answered = deletes ? await this.#delete(key) : await this.#put(key)
        // The fate of this write is open: leave the key to the readers, so that histories stay decidable.
        if (!answered) break
        if (this.#random() < 1 / workloadLimits.readBackOneIn) await this.#read(key)
      }
    }
  }

  async #put(key: string): Promise<boolean> {
    const { sizes, bucket } = this.#options
    const bytes = sizes[Math.floor(this.#random() * sizes.length)] ?? 0
    this.#serial += 1
    const body = bodyOf(`${this.#options.seed}/${key}/${this.#serial}`, bytes)
    const digest = sha256Hex(body)
    this.#written.set(key, (this.#written.get(key) ?? new Set()).add(digest))
    return await this.#mutate(key, digest, () => this.#connection.put(bucket, key, body))
  }

  async #delete(key: string): Promise<boolean> {
    return await this.#mutate(key, undefined, () => this.#connection.delete(this.#options.bucket, key))
  }

  /** Runs a write and records it; false when its outcome is unknown. */
  async #mutate(key: string, value: string | undefined, send: () => Promise<S3Answer>): Promise<boolean> {
    const startMs = performance.now()
    const answer = await this.#attempt(send)
    const endMs = performance.now()
    const acknowledged = answer !== undefined && answer.status >= 200 && answer.status < 300
    this.#record(key, { kind: 'write', value, startMs, endMs: acknowledged ? endMs : Infinity })
    if (!acknowledged) await this.#pause()
    else if (value !== undefined) this.#acknowledged += 1
    return acknowledged
  }

  async #readAtRandom(): Promise<void> {
    while (this.#running) {
      const keys = [...this.#histories.keys()]
      const key = keys[Math.floor(this.#random() * keys.length)]
      if (key === undefined || !(await this.#read(key))) await this.#pause()
    }
  }

  async #read(key: string): Promise<boolean> {
    const startMs = performance.now()
    const answer = await this.#attempt(() => this.#connection.get(this.#options.bucket, key, 'digest'))
    const endMs = performance.now()
    if (answer === undefined || (answer.status !== 200 && answer.status !== 404)) return false
    const value = answer.status === 404 ? undefined : answer.sha256
    if (value !== undefined && !this.#written.get(key)?.has(value)) {
      this.#violations.push(`${key} returned ${answer.bytes} bytes that nobody wrote (SHA-256 ${value})`)
      return true
    }
    this.#readsVerified += 1
    this.#record(key, { kind: 'read', value, startMs, endMs })
    return true
  }

  async #attempt(send: () => Promise<S3Answer>): Promise<S3Answer | undefined> {
    try {
      const answer = await send()
      if (answer.status >= 500) this.#countError(errorNameOf(answer))
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 404) {
        this.#violations.push(`unexpected ${answer.status}: ${answer.body.toString('utf8').slice(0, 300)}`)
      }
      return answer
    } catch (error) {
      this.#countError(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  #countError(name: string): void {
    this.#errors.set(name, (this.#errors.get(name) ?? 0) + 1)
  }

  #record(key: string, operation: RegisterOperation): void {
    const history = this.#histories.get(key)
    if (history === undefined) this.#histories.set(key, [operation])
    else history.push(operation)
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, workloadLimits.pauseAfterErrorMs))
  }
}

function errorNameOf(answer: S3Answer): string {
  return `${answer.status} ${/<Code>([^<]*)<\/Code>/.exec(answer.body.toString('utf8'))?.[1] ?? absent}`
}
