/**
 * Access logs of buckets: lines are spooled on this gateway's disk and delivered as objects to the target bucket.
 *
 * Invariant: a line is removed from the spool only after the object that holds it was acknowledged; after a crash or a
 * refused delivery it is delivered later, possibly twice. As with AWS this is best effort: lines are not fsynced, and
 * beyond `spoolBytesMax` new ones are dropped and counted, so that no log can fill the disk or hold up a request.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { appendFile, readdir, readFile, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Logging } from '../../node/core/bucket-configuration.ts'
import type { Clock } from '../../node/world.ts'
import { type AccessRecord, formatAccessRecord } from './access-record.ts'
import { logKey } from './log-key.ts'

export const accessLogLimits = {
  /** Lines of one object; a busy bucket's log is cut into objects of this size. */
  objectBytesMax: 4 * 1024 * 1024,
  /** All that is spooled and not delivered. */
  spoolBytesMax: 256 * 1024 * 1024,
  /** After a refused delivery the next try comes so much later. */
  retryMs: 60_000,
} as const

/** Where lines go, and from which bucket they come. */
export interface LogSource {
  readonly bucket: string
  readonly ownerId: string
  readonly region: string
  readonly logging: Logging
}

/** Puts one object of lines. Throws when it is not acknowledged; `false`: it can never be delivered, drop it. */
export type DeliverLog = (object: {
  readonly targetBucket: string
  readonly sourceBucket: string
  readonly sourceOwnerId: string
  readonly key: string
  readonly lines: Buffer
}) => Promise<boolean>

export interface AccessLogOptions {
  /** A folder of this gateway alone. */
  readonly folder: string
  readonly clock: Clock
  /** An object is delivered so long after its first line. */
  readonly rollMs: number
  readonly deliver: DeliverLog
  readonly onDropped: (lines: number) => void
  readonly onDelivered: (objects: number) => void
  readonly onFailed: (error: unknown) => void
}

const headSchema = z.object({
  bucket: z.string(),
  ownerId: z.string(),
  region: z.string(),
  logging: z.custom<Logging>((value) => typeof value === 'object' && value !== null),
  firstMs: z.number(),
})

/** A log object in the making: a file whose first line says where it goes. */
interface Roll {
  readonly file: string
  bytes: number
  /** Appends in order, one after the other. */
  writing: Promise<void>
  cancel: () => void
}

export class AccessLog {
  readonly #options: AccessLogOptions
  readonly #rolls = new Map<string, Roll>()
  readonly #deliveries = new Set<Promise<void>>()
  readonly #delivering = new Set<string>()
  #spooledBytes = 0
  #cancelRetry: (() => void) | undefined
  #closed = false

  constructor(options: AccessLogOptions) {
    this.#options = options
    mkdirSync(options.folder, { recursive: true, mode: 0o700 })
  }

  /** Takes up what an earlier process left behind. */
  async start(): Promise<void> {
    const { folder } = this.#options
    for (const name of await readdir(folder)) {
      const file = join(folder, name)
      this.#spooledBytes += (await stat(file)).size
      if (name.endsWith('.open')) await rename(file, file.replace(/open$/, 'full'))
    }
    this.#deliverAll()
  }

  /** Notes one line; never throws, never waits. */
  note(source: LogSource, record: AccessRecord): void {
    const line = `${formatAccessRecord(record)}\n`
    if (this.#closed || this.#spooledBytes > accessLogLimits.spoolBytesMax) {
      this.#options.onDropped(1)
      return
    }
    // Lines of one day only, so that a key may name their day.
    const name = JSON.stringify([source, Math.floor(record.timeMs / 86_400_000)])
    const roll = this.#rolls.get(name) ?? this.#begin(name, source)
    this.#append(roll, line)
    if (roll.bytes > accessLogLimits.objectBytesMax) this.#end(name)
  }

  /** Delivers what there is, for a gateway that stops. What cannot be delivered stays for the next start. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry?.()
    for (const name of [...this.#rolls.keys()]) this.#end(name)
    // One delivery may have begun others.
    while (this.#deliveries.size > 0) await Promise.allSettled([...this.#deliveries])
  }

  #begin(name: string, { bucket, ownerId, region, logging }: LogSource): Roll {
    const { folder, clock, rollMs } = this.#options
    const head = `${JSON.stringify({ bucket, ownerId, region, logging, firstMs: clock.wallMs() })}\n`
    const file = join(folder, `${randomBytes(12).toString('hex')}.open`)
    const roll: Roll = {
      file,
      bytes: 0,
      writing: Promise.resolve(),
      cancel: clock.after(rollMs, () => this.#end(name)),
    }
    this.#rolls.set(name, roll)
    this.#append(roll, head)
    return roll
  }

  #append(roll: Roll, text: string): void {
    const bytes = Buffer.byteLength(text)
    roll.bytes += bytes
    this.#spooledBytes += bytes
    roll.writing = roll.writing
      .then(() => appendFile(roll.file, text, { mode: 0o600 }))
      .catch((error: unknown) => {
        this.#spooledBytes -= bytes
        this.#options.onDropped(1)
        this.#options.onFailed(error)
      })
  }

  #end(name: string): void {
    const roll = this.#rolls.get(name)
    if (roll === undefined) return
    this.#rolls.delete(name)
    roll.cancel()
    const full = roll.file.replace(/open$/, 'full')
    this.#track(roll.writing.then(() => rename(roll.file, full)).then(() => this.#deliver(full)))
  }

  #deliverAll(): void {
    const { folder } = this.#options
    const all = async () => {
      for (const name of await readdir(folder)) {
        if (name.endsWith('.full')) this.#track(this.#deliver(join(folder, name)))
      }
    }
    this.#track(all())
  }

  /** One at a time for each file: a retry may meet the delivery that it would repeat. */
  async #deliver(file: string): Promise<void> {
    if (this.#delivering.has(file)) return
    this.#delivering.add(file)
    try {
      await this.#deliverFile(file)
    } finally {
      this.#delivering.delete(file)
    }
  }

  async #deliverFile(file: string): Promise<void> {
    const content = await readFile(file)
    const split = content.indexOf(10)
    const head = headSchema.safeParse(parseJson(content.subarray(0, split).toString('utf8')))
    const lines = content.subarray(split + 1)
    if (head.success && lines.length > 0) {
      const { bucket, ownerId, region, logging, firstMs } = head.data
      const { clock, deliver } = this.#options
      const unique = randomBytes(8).toString('hex').toUpperCase()
      const key = logKey({ bucket, ownerId, region, logging }, { firstMs, nowMs: clock.wallMs(), unique })
      const delivered = await deliver({
        targetBucket: logging.targetBucket,
        sourceBucket: bucket,
        sourceOwnerId: ownerId,
        key,
        lines,
      })
      if (delivered) this.#options.onDelivered(1)
      else this.#options.onDropped(lines.toString('latin1').split('\n').length - 1)
    }
    await unlink(file)
    this.#spooledBytes = Math.max(0, this.#spooledBytes - content.length)
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#options.onFailed(error)
        if (this.#closed) return
        this.#cancelRetry?.()
        this.#cancelRetry = this.#options.clock.after(accessLogLimits.retryMs, () => this.#deliverAll())
      })
      .finally(() => this.#deliveries.delete(tracked))
    this.#deliveries.add(tracked)
  }
}

/** A spool file that was cut by a crash may begin with half a line. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
