/**
 * CRC arithmetic that the kernels do not have: combining CRCs of parts, and a plain CRC-64/NVME.
 *
 * All three CRCs are reflected, start with ones and are inverted at the end, so that
 * crc(A || B) = crc(A) * x^(8 |B|) + crc(B) modulo the polynomial. Source: zlib's crc32_combine; NVM Express
 * Base Specification 2.0, section 5.2.1.3.4 (CRC-64/NVME).
 */

interface CrcShape {
  readonly bits: bigint
  /** Reflected polynomial. */
  readonly polynomial: bigint
}

const shapes: Readonly<Record<string, CrcShape>> = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
}

function multiply(a: bigint, b: bigint, { bits, polynomial }: CrcShape): bigint {
  let product = 0n
  let shifted = b
  for (let bit = 1n << (bits - 1n); bit !== 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) product ^= shifted
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n
  }
  return product
}

/** x^(8 * bytes) modulo the polynomial. */
function zeroesOperator(bytes: number, shape: CrcShape): bigint {
  let power = 1n << (shape.bits - 1n)
  let square = 1n << (shape.bits - 9n)
  for (let rest = BigInt(bytes); rest !== 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) power = multiply(power, square, shape)
    square = multiply(square, square, shape)
  }
  return power
}

/** `digests` and `bytes` of the parts in order, digests big-endian as S3 writes them. Returns the digest of the whole. */
export function combineCrc(algorithm: string, digests: readonly Buffer[], bytes: readonly number[]): Buffer {
  const shape = shapes[algorithm]
  if (shape === undefined) throw new RangeError(`${algorithm} cannot be combined`)
  const operators = new Map<number, bigint>()
  let total = 0n
  digests.forEach((digest, index) => {
    const length = bytes[index] ?? 0
    let operator = operators.get(length)
    if (operator === undefined) {
      operator = zeroesOperator(length, shape)
      operators.set(length, operator)
    }
    total = multiply(operator, total, shape) ^ BigInt(`0x${digest.toString('hex')}`)
  })
  return Buffer.from(total.toString(16).padStart(Number(shape.bits) / 4, '0'), 'hex')
}

/** Eight tables of 256 entries, low and high halves: slicing by eight. */
interface Tables {
  readonly low: Int32Array
  readonly high: Int32Array
}

let shared: Tables | undefined

function tables(): Tables {
  if (shared !== undefined) return shared
  const low = new Int32Array(8 * 256)
  const high = new Int32Array(8 * 256)
  const polynomial = 0x9a6c9329ac4bc9b5n
  const rows: bigint[] = []
  for (let index = 0; index < 256; index++) {
    let value = BigInt(index)
    for (let bit = 0; bit < 8; bit++) value = (value & 1n) === 1n ? (value >> 1n) ^ polynomial : value >> 1n
    rows.push(value)
  }
  let current = rows
  for (let table = 0; table < 8; table++) {
    current.forEach((value, index) => {
      low[table * 256 + index] = Number(BigInt.asIntN(32, value))
      high[table * 256 + index] = Number(BigInt.asIntN(32, value >> 32n))
    })
    current = current.map((value) => (value >> 8n) ^ (rows[Number(value & 0xffn)] ?? 0n))
  }
  shared = { low, high }
  return shared
}

/** CRC-64/NVME by tables: the slow, obvious kernel and the oracle of the fast one. */
export class Crc64Nvme {
  #low = -1
  #high = -1
  readonly #tables = tables()

  update(chunk: Uint8Array): void {
    const { low, high } = this.#tables
    const at = (table: Int32Array, index: number) => table[index] as number
    let l = this.#low
    let h = this.#high
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    const whole = chunk.length & ~7
    for (let index = 0; index < whole; index += 8) {
      const a = l ^ view.getInt32(index, true)
      const b = h ^ view.getInt32(index + 4, true)
      const i0 = 1792 + (a & 255)
      const i1 = 1536 + ((a >>> 8) & 255)
      const i2 = 1280 + ((a >>> 16) & 255)
      const i3 = 1024 + (a >>> 24)
      const i4 = 768 + (b & 255)
      const i5 = 512 + ((b >>> 8) & 255)
      const i6 = 256 + ((b >>> 16) & 255)
      const i7 = b >>> 24
      l =
        at(low, i0) ^
        at(low, i1) ^
        at(low, i2) ^
        at(low, i3) ^
        at(low, i4) ^
        at(low, i5) ^
        at(low, i6) ^
        at(low, i7)
      h =
        at(high, i0) ^
        at(high, i1) ^
        at(high, i2) ^
        at(high, i3) ^
        at(high, i4) ^
        at(high, i5) ^
        at(high, i6) ^
        at(high, i7)
    }
    for (let index = whole; index < chunk.length; index++) {
      const entry = (l ^ (chunk[index] ?? 0)) & 255
      l = ((l >>> 8) | (h << 24)) ^ at(low, entry)
      h = (h >>> 8) ^ at(high, entry)
    }
    this.#low = l
    this.#high = h
  }

  digest(): Buffer {
    const out = Buffer.allocUnsafe(8)
    out.writeInt32BE(~this.#high, 0)
    out.writeInt32BE(~this.#low, 4)
    return out
  }
}
