/**
 * Products over GF(2^8), one byte a symbol, by two table look-ups of half a byte each (J. Plank, K. Greenan and
 * E. Miller, Screaming Fast Galois Field Arithmetic Using Intel SIMD Instructions, FAST 2013).
 *
 * Invariant: any length: the last vector is masked, so nothing behind a cell changes.
 */
import type { BinaryField } from './field.ts'
import type { ProductForm, ProductKernel } from './product-engine.ts'
import { type ExportedFunction, encodeModule, FunctionBody, I32, V128 } from './wasm-module.ts'

const GROUP_MAX = 4
const VECTOR_BYTES = 16
/** Per constant: its products with 0..15, then with 0x00, 0x10 .. 0xf0. */
const TABLE_BYTES = 2 * VECTOR_BYTES
/** Sixteen bytes of ones, then of zeros: a load at 16 - n masks the first n bytes. */
const MASK_BYTES = 2 * VECTOR_BYTES

export function byteForm(field: BinaryField): ProductForm {
  const maskAddress = field.size * TABLE_BYTES
  const module = new WebAssembly.Module(byteModule(maskAddress))
  return {
    blockBytes: 1,
    groupMax: GROUP_MAX,
    tableBytes: maskAddress + MASK_BYTES,
    instantiate: (memory) => {
      writeTables(field, new Uint8Array(memory.buffer), maskAddress)
      const { exports } = new WebAssembly.Instance(module, { env: { memory } })
      return new ByteKernel(
        Array.from({ length: GROUP_MAX }, (_, i) => exports[`add${i + 1}`] as MultiplyAdd),
      )
    },
  }
}

/** Arguments: source, bytes, then per target its address and its constant's table. */
type MultiplyAdd = (source: number, bytes: number, ...targets: readonly number[]) => void

class ByteKernel implements ProductKernel {
  readonly #byGroupSize: readonly MultiplyAdd[]

  constructor(byGroupSize: readonly MultiplyAdd[]) {
    this.#byGroupSize = byGroupSize
  }

  multiplyAdd(source: number, bytes: number, targets: readonly number[], constants: readonly number[]): void {
    const tables = targets.flatMap((target, index) => [target, (constants[index] ?? 0) * TABLE_BYTES])
    this.#byGroupSize[targets.length - 1]?.(source, bytes, ...tables)
  }
}

function writeTables(field: BinaryField, memory: Uint8Array, maskAddress: number): void {
  for (let constant = 0; constant < field.size; constant++) {
    for (let nibble = 0; nibble < VECTOR_BYTES; nibble++) {
      memory[constant * TABLE_BYTES + nibble] = field.multiply(constant, nibble)
      memory[constant * TABLE_BYTES + VECTOR_BYTES + nibble] = field.multiply(constant, nibble << 4)
    }
  }
  memory.fill(0xff, maskAddress, maskAddress + VECTOR_BYTES)
}

function byteModule(maskAddress: number): Uint8Array<ArrayBuffer> {
  const functions = Array.from({ length: GROUP_MAX }, (_, index): ExportedFunction => {
    const targets = index + 1
    const parameters = Array.from({ length: 2 + 2 * targets }, () => I32)
    return { name: `add${targets}`, parameters, results: [], body: multiplyAddBody(targets, maskAddress) }
  })
  return encodeModule(functions)
}

function multiplyAddBody(targets: number, maskAddress: number): FunctionBody {
  const source = 0
  const bytes = 1
  const target = (index: number): number => 2 + 2 * index
  const body = new FunctionBody(2 + 2 * targets)
  const indices = Array.from({ length: targets }, (_, index) => index)
  const tables = indices.map((index) => {
    const low = body.local(V128)
    const high = body.local(V128)
    body
      .get(target(index) + 1)
      .loadVector(0)
      .set(low)
    body
      .get(target(index) + 1)
      .loadVector(VECTOR_BYTES)
      .set(high)
    return { low, high }
  })
  const lowNibbles = body.local(V128)
  const highNibbles = body.local(V128)
  /** One vector: loads the source, and adds its products to every target under an optional mask. */
  const vector = (mask?: number): void => {
    body
      .get(source)
      .loadVector(0)
      .tee(highNibbles)
      .i32(15)
      .simd('i8x16.splat')
      .simd('v128.and')
      .set(lowNibbles)
    body.get(highNibbles).i32(4).simd('i8x16.shr_u').set(highNibbles)
    for (const index of indices) {
      const { low, high } = tables[index] ?? { low: 0, high: 0 }
      body.get(target(index))
      body.get(low).get(lowNibbles).simd('i8x16.relaxed_swizzle')
      body.get(high).get(highNibbles).simd('i8x16.relaxed_swizzle').simd('v128.xor')
      if (mask !== undefined) body.get(mask).simd('v128.and')
      body.get(target(index)).loadVector(0).simd('v128.xor').storeVector(0)
    }
  }
  body.get(bytes).i32(VECTOR_BYTES).plain('i32.ge_u')
  body.when(() => {
    body.loop(() => {
      vector()
      for (const pointer of [source, ...indices.map(target)]) {
        body.get(pointer).i32(VECTOR_BYTES).plain('i32.add').set(pointer)
      }
      body
        .get(bytes)
        .i32(VECTOR_BYTES)
        .plain('i32.sub')
        .tee(bytes)
        .i32(VECTOR_BYTES)
        .plain('i32.ge_u')
        .branchIf(0)
    })
  })
  body.get(bytes)
  body.when(() => {
    const mask = body.local(V128)
    body
      .i32(maskAddress + VECTOR_BYTES)
      .get(bytes)
      .plain('i32.sub')
      .loadVector(0)
      .set(mask)
    vector(mask)
  })
  return body
}
