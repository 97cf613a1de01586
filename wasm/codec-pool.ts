/**
 * Reed-Solomon on other cores: a bounded pool of worker threads over shared memory.
 *
 * Invariant: at most `queueMax` tasks are under way; whoever brings another waits. Cells travel in one
 * SharedArrayBuffer per task that the caller owns: nothing is copied between threads but through it.
 *
 * When not to use it, measured (README.md): a stripe costs a copy in, a copy out and two messages, which is more
 * than encoding it. The rule is `worthOffloading`: only long batches, and only with idle cores.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { CodeSpec } from './code.ts'
import { CodecError } from './codec-error.ts'

/** n cells of `cellBytes` one after the other: data, then parity. */
export interface CodecTask {
  readonly id: number
  readonly spec: CodeSpec
  readonly cells: SharedArrayBuffer
  readonly cellBytes: number
  /** Reconstructs what is not present; encodes when absent. */
  readonly present?: readonly boolean[]
}

export interface CodecAnswer {
  readonly id: number
  readonly error?: string
}

export interface CodecPoolOptions {
  /** Threads; one less than the cores by default, because the event loop needs one. */
  readonly threads?: number
  /** Tasks given to workers and not answered yet; two per thread by default, so that none runs dry. */
  readonly queueMax?: number
}

/**
 * Whether a codeword is better coded elsewhere. Encoding in place runs at tens of GB/s, so a stripe is done before
 * a message has crossed to another thread; below this size the event loop would spend more on sending than on coding.
 */
export function worthOffloading(stripeBytes: number): boolean {
  return availableParallelism() > 2 && stripeBytes >= OFFLOAD_BYTES_MIN
}

/** Two messages cost some 20 microseconds, in which the slowest named code (20+10) does about this many bytes. */
const OFFLOAD_BYTES_MIN = 2 ** 22

interface Pending {
  readonly worker: Worker
  resolve(): void
  reject(error: Error): void
}

export class CodecPool {
  readonly #workers: Worker[]
  readonly #queueMax: number
  readonly #pending = new Map<number, Pending>()
  readonly #waiters: (() => void)[] = []
  #nextId = 0
  #closed = false

  constructor(options: CodecPoolOptions = {}) {
    const threads = options.threads ?? Math.max(1, availableParallelism() - 1)
    this.#queueMax = options.queueMax ?? 2 * threads
    if (!Number.isInteger(threads) || threads < 1)
      throw new CodecError(`threads must be at least 1, got ${threads}`)
    if (!Number.isInteger(this.#queueMax) || this.#queueMax < 1) {
      throw new CodecError(`queueMax must be at least 1, got ${this.#queueMax}`)
    }
    this.#workers = Array.from({ length: threads }, () => this.#start())
  }

  /** Tasks under way. */
  get inFlight(): number {
    return this.#pending.size
  }

  /** Data cells -> parity cells, in `cells`. Rejects with CodecError; waits while the queue is full. */
  encode(task: Omit<CodecTask, 'id' | 'present'>): Promise<void> {
    return this.#submit(task)
  }

  /** Present cells -> missing cells, in `cells`. */
  reconstruct(
    task: Omit<CodecTask, 'id' | 'present'> & { readonly present: readonly boolean[] },
  ): Promise<void> {
    return this.#submit(task)
  }

  /** Ends the threads; what is under way rejects. */
  async close(): Promise<void> {
    this.#closed = true
    for (const wake of this.#waiters.splice(0)) wake()
    this.#failAll(new CodecError('the codec pool is closed'))
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  async #submit(task: Omit<CodecTask, 'id'>): Promise<void> {
    const { dataShards, parityShards } = task.spec
    if (task.cells.byteLength < (dataShards + parityShards) * task.cellBytes) {
      throw new CodecError(
        `${task.cells.byteLength} bytes do not hold the cells of ${dataShards}+${parityShards}`,
      )
    }
    while (!this.#closed && this.#pending.size >= this.#queueMax) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
    const worker = this.#leastBusy()
    if (this.#closed || !worker) throw new CodecError('the codec pool is closed')
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { worker, resolve, reject })
      // A process stays for work under way, not for idle threads.
      worker.ref()
      worker.postMessage({ ...task, id })
    })
  }

  #start(): Worker {
    const worker = new Worker(new URL('codec-worker.ts', import.meta.url))
    worker.on('message', (answer: CodecAnswer) => this.#settle(answer))
    // A worker that dies took its memory along: a bug, not an operating condition, so all that waits hears of it.
    worker.on('error', (error) => this.#failAll(new CodecError('a codec worker failed', { cause: error })))
    worker.unref()
    return worker
  }

  #settle({ id, error }: CodecAnswer): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (pending && ![...this.#pending.values()].some(({ worker }) => worker === pending.worker))
      pending.worker.unref()
    this.#waiters.shift()?.()
    if (error === undefined) pending?.resolve()
    else pending?.reject(new CodecError(error))
  }

  #failAll(error: CodecError): void {
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
  }

  #leastBusy(): Worker | undefined {
    const load = new Map(this.#workers.map((worker) => [worker, 0]))
    for (const { worker } of this.#pending.values()) load.set(worker, (load.get(worker) ?? 0) + 1)
    return [...load].sort((a, b) => a[1] - b[1])[0]?.[0]
  }
}
