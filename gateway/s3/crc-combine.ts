/**
 * CRCs of parts combined into the CRC of the whole, thousands at once.
 *
 * wasm/checksum.ts combines two; for the parts of an upload, nearly all of one length, the power of x that a length
 * stands for is worked out once: 10,000 parts cost milliseconds and not seconds of the event loop.
 * All three CRCs are reflected, start with ones and are inverted at the end, so that
 * crc(A || B) = crc(A) * x^(8 |B|) + crc(B) modulo the polynomial. Source: zlib's crc32_combine.
 */

interface CrcShape {
  readonly bits: bigint
  /** Reflected polynomial. */
  readonly polynomial: bigint
}

const shapes = {
  CRC32: { bits: 32n, polynomial: 0xedb88320n },
  CRC32C: { bits: 32n, polynomial: 0x82f63b78n },
  CRC64NVME: { bits: 64n, polynomial: 0x9a6c9329ac4bc9b5n },
} as const satisfies Record<string, CrcShape>

export type CrcName = keyof typeof shapes

/** Whether the checksum of a whole follows from those of its parts. */
export function isCrc(algorithm: string): algorithm is CrcName {
  return Object.hasOwn(shapes, algorithm)
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
export function combineCrc(algorithm: CrcName, digests: readonly Buffer[], bytes: readonly number[]): Buffer {
  const shape = shapes[algorithm]
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
