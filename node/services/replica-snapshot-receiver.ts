/**
 * Stages the snapshot that a leader sends, beside the state that counts, until it is whole.
 *
 * Invariant: chunks of one transfer only, in order, each durable before it is answered. Nothing here touches the
 * generation that counts; the core decides whether a whole snapshot is installed, the storage installs it.
 */
import type { SnapshotChunk, SnapshotPosition } from '../core/raft-messages.ts'
import { RequestRing } from './replica-requests.ts'
import { type GroupStorage, replicatedSpaces } from './replica-storage.ts'

export interface ReceiverParts {
  readonly storage: GroupStorage
  /** Answers a chunk. */
  reply(chunk: SnapshotChunk, nextChunk: number): void
  /** The snapshot is whole. */
  onComplete(from: string, position: SnapshotPosition): void
  onFatal(cause: unknown): void
}

interface Staging {
  readonly transferId: string
  readonly requests: RequestRing
  nextChunk: number
  writing: boolean
  complete: boolean
}

export class SnapshotReceiver {
  readonly #parts: ReceiverParts
  #staging: Staging | undefined

  constructor(parts: ReceiverParts) {
    this.#parts = parts
  }

  /** A whole snapshot is staged and neither installed nor dropped. */
  get isComplete(): boolean {
    return this.#staging?.complete === true
  }

  /** Takes a chunk that the core has let through: it is of the leader of our term. */
  receive(chunk: SnapshotChunk): void {
    const staging = this.#stagingFor(chunk)
    if (staging === undefined) {
      this.#parts.reply(chunk, 0)
      return
    }
    if (staging.writing || staging.complete) return
    if (chunk.chunk !== staging.nextChunk) {
      this.#parts.reply(chunk, staging.nextChunk)
      return
    }
    this.#stage(staging, chunk)
  }

  /** The requests that the staged state remembers; taken when it is installed. */
  takeInstalled(): RequestRing {
    const staging = this.#staging
    if (staging?.complete !== true) throw new Error('no whole snapshot is staged')
    this.#staging = undefined
    return staging.requests
  }

  /** Drops what is staged: it was not installed. */
  discard(): void {
    this.#staging = undefined
    this.#parts.storage.discardStaged()
  }

  #stagingFor(chunk: SnapshotChunk): Staging | undefined {
    const { transferId } = chunk
    if (this.#staging?.transferId === transferId || this.#staging?.complete === true) return this.#staging
    if (chunk.chunk !== 0) return undefined
    this.#parts.storage.beginStaging()
    const requests = new RequestRing()
    this.#staging = { transferId, requests, nextChunk: 0, writing: false, complete: false }
    return this.#staging
  }

  #stage(staging: Staging, chunk: SnapshotChunk): void {
    // A leader that sends anything else is broken; without an answer it gives the transfer up.
    if (!chunk.rows.every(({ key }) => replicatedSpaces.some((space) => key.startsWith(space)))) return
    for (const { key, value } of chunk.rows) if (key.startsWith('q/')) staging.requests.restore(value)
    staging.writing = true
    this.#parts.storage.stage(chunk.rows).then(
      () => {
        staging.writing = false
        if (this.#staging !== staging) return
        staging.nextChunk += 1
        staging.complete = chunk.last
        this.#parts.reply(chunk, staging.nextChunk)
        if (chunk.last) this.#parts.onComplete(chunk.from, chunk.position)
      },
      (cause) => this.#parts.onFatal(cause),
    )
  }
}
