/**
 * multipart/form-data as browsers send it: the fields before the file, collected and bounded; then the file, streamed.
 *
 * Invariants: at most `formFieldsBytesMax` are held before the file begins, and the bytes that might be the beginning of
 * a delimiter while it is read; a file ends at its delimiter or not at all; nothing behind it is looked at. Own code:
 * the parsers of the registry do not say where in the body a file begins, and its length follows from that alone.
 * Source: RFC 7578, RFC 2046 section 5.1; AWS, "Browser-Based Uploads Using POST".
 */
import { isUtf8 } from 'node:buffer'
import { S3Error } from './errors.ts'

/** Where the bytes of a body come from; undefined at the end. WireBody is one. */
export interface ByteReader {
  read(): Promise<Buffer | undefined>
}

export interface FormLimits {
  readonly formFieldsBytesMax: number
  readonly formTailBytesMax: number
}

export interface FormFields {
  /** Text by lower-case name; the file's part is not among them. */
  readonly fields: ReadonlyMap<string, string>
  /** Without folders; '' when the client gave none. */
  readonly fileName: string
}

/** RFC 2046: a boundary has at most 70 characters. */
const boundaryShape = /^[0-9a-zA-Z'()+_,./:=? -]{0,69}[0-9a-zA-Z'()+_,./:=?-]$/
const lineEnd = '\r\n'
const carriageReturn = 13

function malformed(reason: string): S3Error {
  return new S3Error('MalformedPOSTRequest', undefined, { cause: new Error(reason) })
}

/** The boundary of a Content-Type. Throws RequestIsNotMultiPartContent, MalformedPOSTRequest. */
export function parseBoundary(contentType: string | undefined): string {
  const [type = '', ...parameters] = (contentType ?? '').split(';')
  if (type.trim().toLowerCase() !== 'multipart/form-data') throw new S3Error('RequestIsNotMultiPartContent')
  for (const parameter of parameters) {
    const at = parameter.indexOf('=')
    if (parameter.slice(0, at).trim().toLowerCase() !== 'boundary') continue
    const boundary = parameter
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
    if (boundaryShape.test(boundary)) return boundary
  }
  throw malformed('no boundary')
}

/** Only what follows the last slash or backslash: some browsers send the whole path. */
function withoutFolders(fileName: string): string {
  return fileName.slice(Math.max(fileName.lastIndexOf('/'), fileName.lastIndexOf('\\')) + 1)
}

interface PartHead {
  readonly name: string
  readonly fileName: string
}

/** A backslash escapes a quote and nothing else: in the names of files it is a separator of folders. */
const parameterShape = /;\s*([a-z*]{1,16})=(?:"((?:[^"\\]|\\"|\\)*)"|([^";]*))/gi

/** Name and file name of a part from its header lines. Throws MalformedPOSTRequest. */
function parsePartHead(text: string): PartHead {
  const line = text.split(lineEnd).find((each) => /^content-disposition\s*:/i.test(each))
  if (line === undefined || !/^[^:]*:\s*form-data\s*;/i.test(line)) throw malformed('a part is no form-data')
  const found = new Map<string, string>()
  for (const [, name = '', quoted, plain = ''] of line.matchAll(parameterShape)) {
    found.set(name.toLowerCase(), quoted?.replaceAll('\\"', '"') ?? plain.trim())
  }
  const name = found.get('name')
  if (name === undefined || name === '') throw malformed('a part has no name')
  const extended = /^utf-8'[^']*'(.*)$/i.exec(found.get('filename*') ?? '')?.[1]
  return {
    name: name.toLowerCase(),
    fileName: withoutFolders(
      extended === undefined ? (found.get('filename') ?? '') : decodeExtended(extended),
    ),
  }
}

function decodeExtended(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw malformed('a file name is not encoded as RFC 5987 has it')
  }
}

export class FormReader implements ByteReader {
  readonly #source: ByteReader
  readonly #limits: FormLimits
  readonly #bodyBytes: number
  /** What stands between parts. The body's first delimiter has no line end before it: one is put there. */
  readonly #delimiter: Buffer
  /** Bytes taken from the source so far. */
  #takenBytes = 0
  /** Taken and not yet consumed; while a file is read: what may be the beginning of its delimiter. */
  #rest: Buffer = Buffer.from(lineEnd)
  readonly #ready: Buffer[] = []
  #fileBegun = false
  #fileBytesMax = 0
  #fileEnded = false

  /** `bodyBytes`: what Content-Length says. */
  constructor(
    source: ByteReader,
    { boundary, bodyBytes, limits }: { boundary: string; bodyBytes: number; limits: FormLimits },
  ) {
    this.#source = source
    this.#limits = limits
    this.#bodyBytes = bodyBytes
    this.#delimiter = Buffer.from(`${lineEnd}--${boundary}`, 'latin1')
  }

  /**
   * Everything before the file's bytes. Throws MalformedPOSTRequest, MaxPostPreDataLengthExceeded, InvalidArgument (no
   * file), and what the source throws.
   */
  async readFields(): Promise<FormFields> {
    const fields = new Map<string, string>()
    await this.#through(this.#delimiter)
    for (;;) {
      await this.#fill(2)
      const mark = this.#rest.toString('latin1', 0, 2)
      if (mark === '--') throw noFile()
      if (mark !== lineEnd) throw malformed('a delimiter does not end its line')
      const { name, fileName } = await this.#readPartHead()
      if (name === 'file') {
        this.#beginFile()
        return { fields, fileName }
      }
      const value = await this.#through(this.#delimiter)
      if (fields.has(name)) throw malformed('a field comes twice')
      if (!isUtf8(value)) throw malformed('a field is not UTF-8')
      fields.set(name, value.toString('utf8'))
    }
  }

  /** Bytes of the file if nothing but the end of the form follows it: it has no more. After `readFields`. */
  get fileBytesMax(): number {
    return this.#fileBytesMax
  }

  /** The next bytes of the file; undefined at its end. Throws MalformedPOSTRequest when the body ends before it. */
  async read(): Promise<Buffer | undefined> {
    if (!this.#fileBegun) throw new Error('the fields come first')
    for (;;) {
      const ready = this.#ready.shift()
      if (ready !== undefined) return ready
      if (this.#fileEnded) return undefined
      const chunk = await this.#take()
      this.#search(this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]))
    }
  }

  /** The lines up to the empty one; the line end of the delimiter is not consumed yet. */
  async #readPartHead(): Promise<PartHead> {
    const lines = await this.#through(Buffer.from(lineEnd + lineEnd))
    if (!isUtf8(lines)) throw malformed('the head of a part is not UTF-8')
    return parsePartHead(lines.toString('utf8'))
  }

  #beginFile(): void {
    const beforeFile = this.#takenBytes - this.#rest.length
    if (beforeFile > this.#limits.formFieldsBytesMax) throw this.#tooLarge()
    this.#fileBytesMax = this.#bodyBytes - beforeFile - this.#delimiter.length - '--'.length
    if (this.#fileBytesMax < 0) throw malformed('the body cannot hold the end of its file')
    this.#fileBegun = true
    this.#search(this.#rest)
  }

  /** Consumes up to and including `mark`; returns what stands before it. */
  async #through(mark: Buffer): Promise<Buffer> {
    let from = 0
    for (;;) {
      const at = this.#rest.indexOf(mark, from)
      if (at >= 0) {
        const before = this.#rest.subarray(0, at)
        this.#rest = this.#rest.subarray(at + mark.length)
        return before
      }
      from = Math.max(0, this.#rest.length - mark.length + 1)
      await this.#fill(this.#rest.length + 1)
    }
  }

  /** At least `bytes` in the rest. Throws MaxPostPreDataLengthExceeded when the fields take too much. */
  async #fill(bytes: number): Promise<void> {
    while (this.#rest.length < bytes) {
      if (this.#takenBytes > this.#limits.formFieldsBytesMax) throw this.#tooLarge()
      this.#rest = Buffer.concat([this.#rest, await this.#take()])
    }
  }

  #tooLarge(): S3Error {
    return new S3Error('MaxPostPreDataLengthExceeded', undefined, {
      details: { MaxPostPreDataLengthBytes: this.#limits.formFieldsBytesMax },
    })
  }

  async #take(): Promise<Buffer> {
    const chunk = await this.#source.read()
    if (chunk === undefined) throw malformed('the body ends within the form')
    this.#takenBytes += chunk.length
    return chunk
  }

  /** Hands on what cannot be part of the delimiter; keeps what may be its beginning. */
  #search(data: Buffer): void {
    const at = data.indexOf(this.#delimiter)
    if (at >= 0) {
      this.#fileEnded = true
      this.#rest = Buffer.alloc(0)
      if (at > 0) this.#ready.push(data.subarray(0, at))
      return
    }
    const open = data.indexOf(carriageReturn, Math.max(0, data.length - this.#delimiter.length + 1))
    const kept = open < 0 ? data.length : open
    this.#rest = data.subarray(kept)
    if (kept > 0) this.#ready.push(data.subarray(0, kept))
  }
}

function noFile(): S3Error {
  return new S3Error('InvalidArgument', 'POST requires exactly one file upload per request.', {
    details: { ArgumentName: 'file', ArgumentValue: '0' },
  })
}
