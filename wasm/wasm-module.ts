/**
 * A writer for the small WebAssembly modules that this directory generates: one imported memory, exported
 * functions, no tables, no data, no globals.
 *
 * Invariant: the bytes depend on the arguments alone. Source of the encoding: WebAssembly core specification,
 * chapter 5 (binary format) with its vector instructions.
 */

/** Value types of parameters, results and locals, as encoded. */
export type ValueType = 0x7f | 0x7e | 0x7b
export const I32: ValueType = 0x7f
export const I64: ValueType = 0x7e
export const V128: ValueType = 0x7b

const PLAIN = {
  return: 0x0f,
  drop: 0x1a,
  'i32.eqz': 0x45,
  'i32.lt_u': 0x49,
  'i32.ge_u': 0x4f,
  'i32.add': 0x6a,
  'i32.sub': 0x6b,
  'i32.mul': 0x6c,
  'i32.and': 0x71,
  'i32.shl': 0x74,
  'i32.wrap_i64': 0xa7,
  'i64.add': 0x7c,
  'i64.and': 0x83,
  'i64.xor': 0x85,
  'i64.shl': 0x86,
  'i64.shr_u': 0x88,
} as const

const SIMD = {
  'i8x16.swizzle': 14,
  'i8x16.splat': 15,
  'i32x4.splat': 17,
  'v128.not': 77,
  'v128.and': 78,
  'v128.andnot': 79,
  'v128.or': 80,
  'v128.xor': 81,
  'v128.bitselect': 82,
  'v128.any_true': 83,
  'i8x16.shr_u': 109,
  'i32x4.shl': 171,
  'i32x4.shr_u': 173,
  'i32x4.add': 174,
  'i32x4.sub': 177,
  'i64x2.shl': 203,
  'i64x2.shr_u': 205,
  'i8x16.relaxed_swizzle': 256,
} as const

const LANE = { 'i64x2.extract_lane': 29, 'i64x2.replace_lane': 30 } as const

/** A function's body: bytes to which each method appends one instruction. */
export class FunctionBody {
  readonly #bytes: number[] = []
  readonly #locals: ValueType[] = []
  readonly #parameters: number

  /** @param parameters number of parameters of the function: they own the first local indices. */
  constructor(parameters: number) {
    this.#parameters = parameters
  }

  /** Declares a local and returns its index. */
  local(type: ValueType): number {
    return this.#parameters + this.#locals.push(type) - 1
  }

  get(local: number): this {
    return this.#op(0x20, local)
  }

  set(local: number): this {
    return this.#op(0x21, local)
  }

  tee(local: number): this {
    return this.#op(0x22, local)
  }

  i32(value: number): this {
    return this.#op(0x41).#signed(BigInt(value))
  }

  i64(value: bigint): this {
    return this.#op(0x42).#signed(BigInt.asIntN(64, value))
  }

  plain(name: keyof typeof PLAIN): this {
    return this.#op(PLAIN[name])
  }

  /** A vector instruction without immediates. */
  simd(name: keyof typeof SIMD): this {
    return this.#op(0xfd, SIMD[name])
  }

  lane(name: keyof typeof LANE, lane: number): this {
    return this.#op(0xfd, LANE[name], lane)
  }

  /** i8x16.shuffle: byte i of the result is byte `lanes[i]` of the two operands' 32 bytes. */
  shuffle(lanes: readonly number[]): this {
    return this.#op(0xfd, 13, ...lanes)
  }

  v128(bytes: readonly number[]): this {
    this.#op(0xfd, 12)
    this.#bytes.push(...bytes)
    return this
  }

  /** v128.load from (address on the stack) + `offset`. The alignment in it is only a hint. */
  loadVector(offset: number): this {
    return this.#op(0xfd, 0, 4, offset)
  }

  /** v128.load from (local `base`) + `offset`. */
  loadAt(base: number, offset: number): this {
    return this.get(base).loadVector(offset)
  }

  storeVector(offset: number): this {
    return this.#op(0xfd, 11, 4, offset)
  }

  /** v128.load32_splat: one 32-bit word in all four lanes. */
  loadSplat32(offset: number): this {
    return this.#op(0xfd, 9, 2, offset)
  }

  load64(offset: number): this {
    return this.#op(0x29, 3, offset)
  }

  loadByte(offset: number): this {
    return this.#op(0x2d, 0, offset)
  }

  /** i64.load8_u. */
  loadByteWide(offset: number): this {
    return this.#op(0x31, 0, offset)
  }

  store64(offset: number): this {
    return this.#op(0x37, 3, offset)
  }

  /** `block` around what `inside` appends; branch(0) in it leaves. */
  block(inside: () => void): this {
    this.#op(0x02).#bytes.push(0x40)
    inside()
    return this.#op(0x0b)
  }

  /** `loop` around what `inside` appends; branchIf(0) in it repeats. */
  loop(inside: () => void): this {
    this.#op(0x03).#bytes.push(0x40)
    inside()
    return this.#op(0x0b)
  }

  /** `if` (condition on the stack) around what `inside` appends. */
  when(inside: () => void): this {
    this.#op(0x04).#bytes.push(0x40)
    inside()
    return this.#op(0x0b)
  }

  branch(depth: number): this {
    return this.#op(0x0c, depth)
  }

  branchIf(depth: number): this {
    return this.#op(0x0d, depth)
  }

  /** The entry of the code section. */
  encode(): number[] {
    const runs: { count: number; readonly type: ValueType }[] = []
    for (const type of this.#locals) {
      const last = runs.at(-1)
      if (last?.type === type) last.count++
      else runs.push({ count: 1, type })
    }
    const locals = [
      ...unsigned(runs.length),
      ...runs.flatMap(({ count, type }) => [...unsigned(count), type]),
    ]
    return unsigned(locals.length + this.#bytes.length + 1).concat(locals, this.#bytes, 0x0b)
  }

  #op(opcode: number, ...immediates: readonly number[]): this {
    this.#bytes.push(opcode)
    for (const immediate of immediates) pushUnsigned(this.#bytes, immediate)
    return this
  }

  #signed(value: bigint): this {
    for (let rest = value; ; ) {
      const low = Number(rest & 0x7fn)
      rest >>= 7n
      const done = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40)
      this.#bytes.push(done ? low : low | 0x80)
      if (done) return this
    }
  }
}

export interface ExportedFunction {
  readonly name: string
  readonly parameters: readonly ValueType[]
  readonly results: readonly ValueType[]
  readonly body: FunctionBody
}

/** The bytes of a module that imports `env.memory` (at least one page) and exports `functions`. */
export function encodeModule(functions: readonly ExportedFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map((f) => [0x60, ...vector(f.parameters), ...vector(f.results)])
  const memory = [...name('env'), ...name('memory'), 0x02, 0x00, 0x01]
  const exported = functions.map((f, index) => [...name(f.name), 0x00, ...unsigned(index)])
  const sections = [
    section(1, types),
    section(2, [memory]),
    section(
      3,
      functions.map((_, index) => unsigned(index)),
    ),
    section(7, exported),
    section(
      10,
      functions.map((f) => f.body.encode()),
    ),
  ]
  const bytes = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00].concat(...sections)
  return Uint8Array.from(bytes)
}

function section(id: number, items: readonly (readonly number[])[]): number[] {
  const count = unsigned(items.length)
  const size = items.reduce((sum, item) => sum + item.length, count.length)
  return [id, ...unsigned(size)].concat(count, ...items)
}

function name(text: string): number[] {
  return vector([...Buffer.from(text)])
}

function vector(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes]
}

function unsigned(value: number): number[] {
  const bytes: number[] = []
  pushUnsigned(bytes, value)
  return bytes
}

/** LEB128 of an integer in [0, 2^32). */
function pushUnsigned(bytes: number[], value: number): void {
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = rest >>> 7
  }
  bytes.push(rest)
}
