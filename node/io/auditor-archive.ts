/**
 * An auditor's archive of co-signed heads: `heads.jsonl`, one JSON object a line, only ever appended to.
 *
 * Why: hypercore keeps the signature of its newest head alone. The archive proves later that a quorum had signed a
 * length by a time, so a truncated or forked copy is found out. Invariant: what `append` resolved for is on disk.
 */
import { type FileHandle, open } from 'node:fs/promises'

/** A co-signed head as the auditor saw it. `format` 1; fields are append-only. */
export interface ArchivedHead {
  readonly groupId: string
  readonly sequence: number
  readonly key: string
  readonly length: number
  readonly treeHash: string
  /** hypercore's multi-signature, hex. */
  readonly certificate: string
  /** Wall clock of the auditor. */
  readonly seenMs: number
}

/** More than any head with its multi-signature takes. */
const longestLineBytes = 64 * 1024

export class HeadArchive {
  readonly #file: FileHandle
  #waiting: string[] = []
  #writing: Promise<void> | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(path: string): Promise<HeadArchive> {
    const file = await open(path, 'a+')
    const { size } = await file.stat()
    const tail = Buffer.alloc(Math.min(size, longestLineBytes))
    await file.read(tail, 0, tail.byteLength, size - tail.byteLength)
    // A line that a crash cut short must not swallow the next one.
    await file.truncate(size - tail.byteLength + tail.lastIndexOf(0x0a) + 1)
    return new HeadArchive(file)
  }

  /** Appends heads; resolves after fsync. Concurrent calls share one. */
  append(heads: readonly ArchivedHead[]): Promise<void> {
    for (const head of heads) this.#waiting.push(`${JSON.stringify({ format: 1, ...head })}\n`)
    this.#writing ??= this.#write()
    return this.#writing
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#file.close()
  }

  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const lines = this.#waiting.join('')
        this.#waiting = []
        await this.#file.appendFile(lines)
        await this.#file.datasync()
      }
    } finally {
      this.#writing = undefined
    }
  }
}

/** Reads a line back; undefined when it is not one. */
export function parseArchivedHead(line: string): ArchivedHead | undefined {
  try {
    const { format, ...head } = JSON.parse(line)
    const isText = [head.groupId, head.key, head.treeHash, head.certificate].every(
      (one) => typeof one === 'string',
    )
    const isCount = [head.sequence, head.length, head.seenMs].every((one) => Number.isSafeInteger(one))
    return format === 1 && isText && isCount ? head : undefined
  } catch {
    // Not JSON: damaged, which the caller reports.
    return undefined
  }
}
