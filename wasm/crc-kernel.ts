/**
 * Cyclic redundancy checks by XOR folding: WebAssembly has no carry-less multiplication, so the message is
 * divided by a sparse multiple of the polynomial first, with nothing but loads and XORs.
 *
 * Invariant: for y = x^8 and the distances d of a spec, the sum of 1 and all y^-d is a multiple of the polynomial.
 * So out[i] = in[i] ^ (XOR over d of out[i-d]), byte-wise, cancels every byte but the last few thousand, and what
 * is left there has the same remainder as the message. It is finished by tables (slicing by 16).
 *
 * Where two distances lie closer than a vector, one load serves both: loads are what limits the loop.
 */
import { range } from './code.ts'
import { encodeModule, FunctionBody, I32, I64, V128 } from './wasm-module.ts'

export interface CrcSpec {
  /** Bits of the register. */
  readonly width: 32 | 64
  /** The polynomial with the lowest power in the top bit (reflected), without the leading term. */
  readonly polynomial: bigint
  /** Feedback distances in bytes; `echo`: a second distance, `distance - echo`, with echo in 1..31. */
  readonly feedback: readonly { readonly distance: number; readonly echo?: number }[]
}

/** Bytes that one turn of the folding loop consumes: no distance may be shorter than it and a vector. */
export const FOLD_UNIT_BYTES = 64
const VECTOR_BYTES = 16
/** One table of 256 registers per byte that the table loop consumes at a time. */
const SLICES = 16
const REGISTER_BYTES = 8
const TABLES_BYTES = SLICES * 256 * REGISTER_BYTES
/** Room for messages: in the L2 cache, and large against the window that moves when it is full. */
const ARENA_BYTES = 131_072
const PAGE_BYTES = 65_536

/**
 * The kernels of one CRC and their memory: tables, a scratch area behind zeros, and an arena for messages.
 * All addresses are bytes; `window` is how much of the folded message decides the result.
 */
export interface CrcKernel {
  readonly memory: Uint8Array
  readonly windowBytes: number
  readonly arena: { readonly from: number; readonly to: number }
  /** Where `settle` works: `windowBytes` + FOLD_UNIT_BYTES from here. */
  readonly scratch: number
  /** Folds [from, to), whole units; reads windowBytes before `from`. */
  fold(from: number, to: number): void
  /** Takes back in [scratch, scratch + windowBytes) what fold put there from within that range. */
  settle(): void
  /** The register after the bytes [from, to). */
  table(register: bigint, from: number, to: number): bigint
}

export function crcKernel(spec: CrcSpec): CrcKernel {
  const furthest = Math.max(...spec.feedback.map(({ distance }) => distance))
  const windowBytes = Math.ceil(furthest / FOLD_UNIT_BYTES) * FOLD_UNIT_BYTES
  const scratch = TABLES_BYTES + windowBytes
  const from = scratch + windowBytes + FOLD_UNIT_BYTES
  const pages = Math.ceil((from + windowBytes + ARENA_BYTES) / PAGE_BYTES)
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const bytes = new Uint8Array(memory.buffer)
  writeTables(spec, new BigUint64Array(memory.buffer, 0, SLICES * 256))
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(crcModule(spec)), { env: { memory } })
  const fold = exports.fold as (from: number, to: number) => void
  const settle = exports.settle as (from: number, to: number) => void
  const table = exports.table as (register: bigint, from: number, to: number) => bigint
  return {
    memory: bytes,
    windowBytes,
    scratch,
    arena: { from, to: bytes.length },
    fold,
    settle: () => settle(scratch, scratch + windowBytes),
    table: (register, start, end) => BigInt.asUintN(64, table(register, start, end)),
  }
}

/** tables[s][b]: the register after byte b and s zero bytes. */
function writeTables({ polynomial }: CrcSpec, tables: BigUint64Array): void {
  for (let byte = 0; byte < 256; byte++) {
    let register = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) register = (register >> 1n) ^ (register & 1n ? polynomial : 0n)
    tables[byte] = register
  }
  for (let entry = 256; entry < tables.length; entry++) {
    const before = tables[entry - 256] ?? 0n
    tables[entry] = (before >> 8n) ^ (tables[Number(before & 0xffn)] ?? 0n)
  }
}

function crcModule(spec: CrcSpec): Uint8Array<ArrayBuffer> {
  return encodeModule([
    { name: 'fold', parameters: [I32, I32], results: [], body: foldBody(spec) },
    { name: 'settle', parameters: [I32, I32], results: [], body: settleBody(spec) },
    { name: 'table', parameters: [I64, I32, I32], results: [I64], body: tableBody() },
  ])
}

/** fold(from, to): out[i] = in[i] ^ out[i - d] ..., upwards, in place. */
function foldBody(spec: CrcSpec): FunctionBody {
  const body = new FunctionBody(2)
  const sum = body.local(V128)
  /** The arena lies behind the tables, so an address minus a distance is a valid constant offset from `origin`. */
  const origin = body.local(I32)
  /** From `origin` to the bytes being folded: room for the furthest distance, made aligned. */
  const reach = Math.max(...spec.feedback.map(({ distance }) => distance)) + VECTOR_BYTES
  const terms = spec.feedback.map(({ distance, echo }) => {
    const offset = reach - distance
    if (echo === undefined) return { offset, skew: 0, echo: 0, vectors: [] }
    // Loads that serve two distances are made aligned (no split cache lines) and shuffled into place twice.
    const skew = VECTOR_BYTES - (distance % VECTOR_BYTES)
    const vectors = range(0, Math.floor((skew + echo) / VECTOR_BYTES) + 2).map(() => body.local(V128))
    return { offset: offset - skew, skew, echo, vectors }
  })
  body.get(0).i32(reach).plain('i32.sub').set(origin)
  for (const { offset, vectors } of terms) {
    vectors.slice(0, -1).forEach((vector, index) => {
      body.loadAt(origin, offset + index * VECTOR_BYTES).set(vector)
    })
  }
  const addFrom = (vectors: readonly number[], from: number): void => {
    const [low, high] = [
      vectors[Math.floor(from / VECTOR_BYTES)],
      vectors[Math.floor(from / VECTOR_BYTES) + 1],
    ]
    if (low === undefined || high === undefined) throw new RangeError(`no vectors hold byte ${from}`)
    body
      .get(sum)
      .get(low)
      .get(high)
      .shuffle(bytesFrom(from % VECTOR_BYTES))
      .simd('v128.xor')
      .set(sum)
  }
  body.loop(() => {
    for (let at = 0; at < FOLD_UNIT_BYTES; at += VECTOR_BYTES) {
      body.loadAt(origin, reach + at).set(sum)
      for (const { offset, skew, echo, vectors } of terms) {
        const newest = vectors.at(-1)
        if (newest === undefined) {
          body
            .get(sum)
            .loadAt(origin, offset + at)
            .simd('v128.xor')
            .set(sum)
          continue
        }
        body.loadAt(origin, offset + at + (vectors.length - 1) * VECTOR_BYTES).set(newest)
        addFrom(vectors, skew)
        addFrom(vectors, skew + echo)
        vectors.slice(1).forEach((vector, index) => {
          body.get(vector).set(vectors[index] ?? vector)
        })
      }
      body
        .get(origin)
        .get(sum)
        .storeVector(reach + at)
    }
    body.get(origin).i32(FOLD_UNIT_BYTES).plain('i32.add').set(origin)
    body.get(0).i32(FOLD_UNIT_BYTES).plain('i32.add').tee(0).get(1).plain('i32.lt_u').branchIf(0)
  })
  return body
}

/** settle(from, to): the inverse of fold, downwards, in place; the bytes before `from` must be zero. */
function settleBody(spec: CrcSpec): FunctionBody {
  const body = new FunctionBody(2)
  const distances = spec.feedback.flatMap(({ distance, echo }) =>
    echo === undefined ? [distance] : [distance, distance - echo],
  )
  const furthest = Math.max(...distances)
  const origin = body.local(I32)
  body.get(1).i32(furthest).plain('i32.sub').set(origin)
  body.loop(() => {
    body.get(origin).i32(VECTOR_BYTES).plain('i32.sub').tee(origin)
    body.loadAt(origin, furthest)
    for (const distance of distances) body.loadAt(origin, furthest - distance).simd('v128.xor')
    body.storeVector(furthest)
    body.get(1).i32(VECTOR_BYTES).plain('i32.sub').set(1)
    body.get(0).get(1).plain('i32.lt_u').branchIf(0)
  })
  return body
}

/** table(register, from, to): slicing by 16, then byte by byte. */
function tableBody(): FunctionBody {
  const body = new FunctionBody(3)
  const [register, from, to] = [0, 1, 2]
  const low = body.local(I64)
  const high = body.local(I64)
  const lookUp = (word: number, byte: number, slice: number): void => {
    const shift = BigInt(8 * byte)
    body.get(word).i64(shift).plain('i64.shr_u').plain('i32.wrap_i64').i32(0xff).plain('i32.and')
    body.i32(3).plain('i32.shl')
    body.load64(slice * 256 * REGISTER_BYTES)
  }
  body.block(() => {
    body.loop(() => {
      body.get(to).get(from).plain('i32.sub').i32(SLICES).plain('i32.lt_u').branchIf(1)
      body.get(from).load64(0).get(register).plain('i64.xor').set(low)
      body.get(from).load64(8).set(high)
      for (let byte = 0; byte < SLICES; byte++) {
        lookUp(byte < 8 ? low : high, byte % 8, SLICES - 1 - byte)
        if (byte > 0) body.plain('i64.xor')
      }
      body.set(register)
      body.get(from).i32(SLICES).plain('i32.add').set(from).branch(0)
    })
  })
  body.block(() => {
    body.loop(() => {
      body.get(from).get(to).plain('i32.ge_u').branchIf(1)
      body.get(register).get(from).loadByteWide(0).plain('i64.xor').set(low)
      lookUp(low, 0, 0)
      body.get(register).i64(8n).plain('i64.shr_u').plain('i64.xor').set(register)
      body.get(from).i32(1).plain('i32.add').set(from).branch(0)
    })
  })
  return body.get(register)
}

/** Lanes of a shuffle that takes sixteen bytes from byte `from` of two vectors side by side. */
export function bytesFrom(from: number): number[] {
  return Array.from({ length: VECTOR_BYTES }, (_, index) => from + index)
}
