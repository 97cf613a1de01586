/**
 * A shard sink: one shard of one blob on its way to one holder, cell after cell.
 *
 * Invariant: at most one request under way, cells in order; cells that wait meanwhile go together in the next one.
 * A holder that fails before it took the first cell is replaced at once by the next candidate; one that fails later
 * makes the sink fail, and the writer has the shard rebuilt from the others. A sink never rejects: it says `failure`.
 */
import { ClusterError } from '../../node/errors.ts'
import type { Caller, ShardHeader } from '../../node/protocol/messages.ts'

/** Cells of one request: bounds a body to a few MiB, amortises the request's cost. */
const CELLS_PER_REQUEST_MAX = 4

interface PendingCell {
  readonly frame: Buffer
  readonly seal: boolean
  readonly settle: () => void
}

export class ShardSink {
  readonly header: ShardHeader
  /** The holder that is being written to. */
  holder: string
  failure: ClusterError | undefined
  sealed = false
  readonly #caller: Caller
  readonly #substitute: () => string | undefined
  readonly #signal: AbortSignal | undefined
  readonly #pending: PendingCell[] = []
  #nextCell = 0
  #busy = false

  /** `substitute` names another holder for this shard, or undefined when there is none left. */
  constructor(
    caller: Caller,
    shard: {
      header: ShardHeader
      holder: string
      substitute: () => string | undefined
      signal: AbortSignal | undefined
    },
  ) {
    this.#caller = caller
    this.header = shard.header
    this.holder = shard.holder
    this.#substitute = shard.substitute
    this.#signal = shard.signal
  }

  /** Sends a framed cell; resolves when its buffer may be reused: the holder has it, or the sink has failed. */
  append(frame: Buffer, options: { seal: boolean }): Promise<void> {
    if (this.failure !== undefined) return Promise.resolve()
    return new Promise((settle) => {
      this.#pending.push({ frame, seal: options.seal, settle })
      if (!this.#busy) void this.#pump()
    })
  }

  async #pump(): Promise<void> {
    this.#busy = true
    while (this.#pending.length > 0 && this.failure === undefined) {
      const cells = this.#pending.splice(0, CELLS_PER_REQUEST_MAX)
      await this.#send(cells)
      for (const cell of cells) cell.settle()
    }
    this.#busy = false
    for (const cell of this.#pending.splice(0)) cell.settle()
  }

  async #send(cells: readonly PendingCell[]): Promise<void> {
    const seal = cells.at(-1)?.seal ?? false
    for (;;) {
      try {
        await this.#caller.call(
          this.holder,
          'write-shard',
          { header: this.header, firstCell: this.#nextCell, cellCount: cells.length, seal },
          {
            body: cells.map((cell) => cell.frame),
            ...(this.#signal === undefined ? {} : { signal: this.#signal }),
          },
        )
        this.#nextCell += cells.length
        this.sealed = seal
        return
      } catch (cause) {
        const error =
          cause instanceof ClusterError
            ? cause
            : new ClusterError('Internal', 'writing a shard failed', { cause })
        const next = this.#nextCell === 0 && !this.#signal?.aborted ? this.#substitute() : undefined
        if (next === undefined) {
          this.failure = error
          return
        }
        this.holder = next
      }
    }
  }
}
