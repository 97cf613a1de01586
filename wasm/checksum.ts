/**
 * The checksums of S3: CRC-64/NVME, CRC-32C and CRC-32, streaming, and how those of two parts combine.
 *
 * Invariant: digests equal AWS's x-amz-checksum-crc64nvme, -crc32c and -crc32 (register and result inverted,
 * bits reflected). Each algorithm owns one WebAssembly memory; the stream that used it last keeps its state
 * there, any other is moved out and in, so the number of streams is not bounded by that memory.
 */
import { crc32 as nativeCrc32, crc32c as nativeCrc32c } from '@node-rs/crc32'
import { type CrcKernel, type CrcSpec, crcKernel, FOLD_UNIT_BYTES } from './crc-kernel.ts'

/**
 * Feedback distances found by search: sparse multiples of each polynomial in y = x^8 (README.md tells how).
 * Polynomials: NVM Express Base Specification 2.0 (CRC-64), RFC 3720 appendix B.4 (CRC-32C), ISO 3309 (CRC-32).
 */
const CRC64_NVME: CrcSpec = {
  width: 64,
  polynomial: 0x9a6c9329ac4bc9b5n,
  feedback: [
    { distance: 6506, echo: 31 },
    { distance: 8005 },
    { distance: 17_088, echo: 29 },
    { distance: 17_475 },
  ],
}
const CRC32C: CrcSpec = {
  width: 32,
  polynomial: 0x82f63b78n,
  feedback: [{ distance: 1747 }, { distance: 2830 }, { distance: 5321 }],
}
const CRC32: CrcSpec = {
  width: 32,
  polynomial: 0xedb88320n,
  feedback: [{ distance: 1837 }, { distance: 3200 }, { distance: 4949 }],
}

interface CrcPlan {
  readonly spec: CrcSpec
  /**
   * The smallest update for which a stream begins to fold: less costs more than it saves, because finishing takes
   * a table run over the window. Measured against what runs below it.
   */
  readonly foldBytesMin: number
  /** A native implementation for what does not fold: (bytes, checksum so far) -> checksum. */
  readonly native?: (bytes: Uint8Array, checksum: number) => number
}

/** One algorithm: its kernel, made at first use, and the stream whose state is in the kernel's memory. */
class CrcAlgorithm {
  readonly spec: CrcSpec
  readonly foldBytesMin: number
  readonly mask: bigint
  readonly #native: CrcPlan['native']
  #kernel: CrcKernel | undefined
  /** The stream that owns the arena. */
  resident: FoldedMessage | undefined

  constructor({ spec, foldBytesMin, native }: CrcPlan) {
    this.spec = spec
    this.foldBytesMin = foldBytesMin
    this.#native = native
    this.mask = (1n << BigInt(spec.width)) - 1n
  }

  get kernel(): CrcKernel {
    this.#kernel ??= crcKernel(this.spec)
    return this.#kernel
  }

  /** The register after `bytes`, without folding. */
  advance(register: bigint, bytes: Uint8Array): bigint {
    if (this.#native) return BigInt(this.#native(bytes, Number(register ^ this.mask))) ^ this.mask
    const { memory, arena, table } = this.kernel
    this.resident?.moveOut()
    let result = register
    for (let from = 0; from < bytes.length; from += arena.to - arena.from) {
      const piece = bytes.subarray(from, from + arena.to - arena.from)
      memory.set(piece, arena.from)
      result = table(result, arena.from, arena.from + piece.length)
    }
    return result
  }
}

/**
 * The state of a stream that folds: the last window of folded bytes and fewer than a unit of bytes not yet folded,
 * contiguous, in the arena while resident and in `#saved` otherwise.
 */
class FoldedMessage {
  readonly #algorithm: CrcAlgorithm
  readonly #saved: Uint8Array
  /** Address behind the folded bytes, and bytes pending there; the address holds only while resident. */
  #foldedTo = 0
  #pending = 0

  constructor(algorithm: CrcAlgorithm) {
    this.#algorithm = algorithm
    this.#saved = new Uint8Array(algorithm.kernel.windowBytes + FOLD_UNIT_BYTES)
  }

  /** Appends bytes; `register` is what came before the first of them (0 later on), at least 8 bytes then. */
  append(bytes: Uint8Array, register: bigint): void {
    this.#moveIn()
    const { memory, arena, fold } = this.#algorithm.kernel
    for (let from = 0; from < bytes.length; ) {
      if (this.#foldedTo + this.#pending === arena.to) this.#moveTo(arena.from)
      const to = this.#foldedTo + this.#pending
      const piece = bytes.subarray(from, from + arena.to - to)
      memory.set(piece, to)
      if (from === 0 && register !== 0n) xorInto(memory, to, register)
      const units = Math.floor((this.#pending + piece.length) / FOLD_UNIT_BYTES) * FOLD_UNIT_BYTES
      if (units > 0) fold(this.#foldedTo, this.#foldedTo + units)
      this.#foldedTo += units
      this.#pending += piece.length - units
      from += piece.length
    }
  }

  /** The register after all bytes; the state stays as it is. */
  register(): bigint {
    this.#moveIn()
    const { memory, scratch, windowBytes, settle, table } = this.#algorithm.kernel
    memory.copyWithin(scratch, this.#foldedTo - windowBytes, this.#foldedTo + this.#pending)
    settle()
    return table(0n, scratch, scratch + windowBytes + this.#pending)
  }

  moveOut(): void {
    const { memory, windowBytes } = this.#algorithm.kernel
    this.#saved.set(memory.subarray(this.#foldedTo - windowBytes, this.#foldedTo + this.#pending))
    this.#algorithm.resident = undefined
  }

  #moveIn(): void {
    if (this.#algorithm.resident === this) return
    this.#algorithm.resident?.moveOut()
    this.#algorithm.resident = this
    const { memory, arena, windowBytes } = this.#algorithm.kernel
    memory.set(this.#saved, arena.from)
    this.#foldedTo = arena.from + windowBytes
  }

  /** Moves window and pending bytes to the start of the arena. */
  #moveTo(address: number): void {
    const { memory, windowBytes } = this.#algorithm.kernel
    memory.copyWithin(address, this.#foldedTo - windowBytes, this.#foldedTo + this.#pending)
    this.#foldedTo = address + windowBytes
  }
}

/** The register acts on the message like an XOR of its bytes into the first ones. */
function xorInto(memory: Uint8Array, address: number, register: bigint): void {
  for (let rest = register, at = address; rest !== 0n; rest >>= 8n, at++) {
    memory[at] = (memory[at] ?? 0) ^ Number(rest & 0xffn)
  }
}

/** What the three classes share: a register until folding pays, a folded message from then on. */
class CrcStream {
  readonly #algorithm: CrcAlgorithm
  #register: bigint
  #folded: FoldedMessage | undefined

  constructor(algorithm: CrcAlgorithm) {
    this.#algorithm = algorithm
    this.#register = algorithm.mask
  }

  append(bytes: Uint8Array): void {
    if (!this.#folded && bytes.length < this.#algorithm.foldBytesMin) {
      this.#register = this.#algorithm.advance(this.#register, bytes)
      return
    }
    this.#folded ??= new FoldedMessage(this.#algorithm)
    this.#folded.append(bytes, this.#register)
    this.#register = 0n
  }

  result(): bigint {
    return (this.#folded ? this.#folded.register() : this.#register) ^ this.#algorithm.mask
  }
}

const crc64Nvme = new CrcAlgorithm({ spec: CRC64_NVME, foldBytesMin: 32_768 })
const crc32c = new CrcAlgorithm({ spec: CRC32C, foldBytesMin: 65_536, native: nativeCrc32c })
const crc32 = new CrcAlgorithm({ spec: CRC32, foldBytesMin: 262_144, native: nativeCrc32 })

/** CRC-64/NVME of a stream of buffers. `digest` may be called at any time and again. */
export class Crc64Nvme {
  readonly #stream = new CrcStream(crc64Nvme)

  /** Reads `buffer` at once; the caller may reuse it. */
  update(buffer: Uint8Array): this {
    this.#stream.append(buffer)
    return this
  }

  digest(): bigint {
    return this.#stream.result()
  }
}

/** CRC-32C (Castagnoli) of a stream of buffers; as Crc64Nvme. */
export class Crc32c {
  readonly #stream = new CrcStream(crc32c)

  update(buffer: Uint8Array): this {
    this.#stream.append(buffer)
    return this
  }

  digest(): number {
    return Number(this.#stream.result())
  }
}

/** CRC-32 (ISO-HDLC, zlib) of a stream of buffers; as Crc64Nvme. */
export class Crc32 {
  readonly #stream = new CrcStream(crc32)

  update(buffer: Uint8Array): this {
    this.#stream.append(buffer)
    return this
  }

  digest(): number {
    return Number(this.#stream.result())
  }
}

/** CRC of A followed by B, from the CRCs of A and of B and the length of B in bytes. */
export function combineCrc64Nvme(left: bigint, right: bigint, rightBytes: number): bigint {
  return combine(crc64Nvme, left, right, rightBytes)
}

export function combineCrc32c(left: number, right: number, rightBytes: number): number {
  return Number(combine(crc32c, BigInt(left), BigInt(right), rightBytes))
}

export function combineCrc32(left: number, right: number, rightBytes: number): number {
  return Number(combine(crc32, BigInt(left), BigInt(right), rightBytes))
}

/** crc(AB) = crc(A) x^(8 len B) + crc(B): the inversions at start and end cancel. */
function combine({ spec, mask }: CrcAlgorithm, left: bigint, right: bigint, rightBytes: number): bigint {
  if (!Number.isSafeInteger(rightBytes) || rightBytes < 0) {
    throw new RangeError(`a length in bytes is a non-negative integer, got ${rightBytes}`)
  }
  let shifted = left & mask
  let power = 1n << BigInt(spec.width - 9)
  for (let rest = rightBytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shifted = multiplyReflected(shifted, power, spec)
    power = multiplyReflected(power, power, spec)
  }
  return shifted ^ (right & mask)
}

/** Product of two reflected polynomials: the top bit is x^0. */
function multiplyReflected(a: bigint, b: bigint, { width, polynomial }: CrcSpec): bigint {
  let product = 0n
  let factor = a
  for (let bit = BigInt(width - 1); bit >= 0n; bit--) {
    if ((b >> bit) & 1n) product ^= factor
    factor = (factor >> 1n) ^ (factor & 1n ? polynomial : 0n)
  }
  return product
}
