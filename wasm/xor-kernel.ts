/**
 * One WebAssembly module per linear map: its XOR steps, straight-line, once per block of every cell.
 *
 * Invariant: addresses are base + constant, so a kernel belongs to one cell stride; the constants stay below
 * 4 GiB, where the engine's guard region catches what would leave the memory, without a bounds check.
 */
import type { MapMode } from './engine.ts'
import { encodeModule, FunctionBody, I32, V128 } from './wasm-module.ts'
import type { Step } from './xor-schedule.ts'

/** Bytes of one word: a packet of 128 symbols' bits in the terms of Jerasure. */
export const PACKET_BYTES = 16

export interface KernelShape {
  readonly mode: MapMode
  /** Packets per block, the w of GF(2^w). */
  readonly width: number
  readonly strideBytes: number
  /** Cell index of each source and target of the map. */
  readonly sources: readonly number[]
  readonly targets: readonly number[]
}

/** The module exports `run(address, end): i32`: works on blocks from address up to end, returns 0 for equal. */
export function xorKernelModule(steps: readonly Step[], shape: KernelShape): Uint8Array<ArrayBuffer> {
  const body = new FunctionBody(2)
  const difference = shape.mode === 'compare' ? body.local(V128) : undefined
  const place = (cells: readonly number[], word: number): Place => {
    const cell = cells[Math.floor(word / shape.width)]
    if (cell === undefined) throw new RangeError(`word ${word} is outside of ${cells.length} cells`)
    return { base: 0, offset: cell * shape.strideBytes + (word % shape.width) * PACKET_BYTES }
  }
  body.loop(() => {
    emitSteps(body, steps, {
      mode: shape.mode,
      source: (word) => place(shape.sources, word),
      target: (word) => place(shape.targets, word),
      ...(difference !== undefined && { difference }),
    })
    body
      .get(0)
      .i32(shape.width * PACKET_BYTES)
      .plain('i32.add')
      .tee(0)
      .get(1)
      .plain('i32.lt_u')
      .branchIf(0)
  })
  if (difference === undefined) body.i32(0)
  else body.get(difference).simd('v128.any_true')
  return encodeModule([{ name: 'run', parameters: [I32, I32], results: [I32], body }])
}

/** The address of a packet: a local that holds a base, and a constant. */
export interface Place {
  readonly base: number
  readonly offset: number
}

export interface StepPlaces {
  readonly mode: MapMode
  readonly source: (word: number) => Place
  readonly target: (word: number) => Place
  /** Local that collects differences; only for mode compare. */
  readonly difference?: number
}

/** Appends the steps for one block. */
export function emitSteps(body: FunctionBody, steps: readonly Step[], places: StepPlaces): void {
  const locals = new LocalAllocator(body, steps)
  steps.forEach((step, index) => {
    if (step.op === 'load') {
      const { base, offset } = places.source(step.input)
      body.get(base).loadVector(offset).set(locals.define(step.value))
    } else if (step.op === 'xor') {
      body.get(locals.read(step.left, index)).get(locals.read(step.right, index)).simd('v128.xor')
      body.set(locals.define(step.value))
    } else {
      const push = (): unknown =>
        step.op === 'zero' ? body.v128(Array(PACKET_BYTES).fill(0)) : body.get(locals.read(step.value, index))
      emitResult(body, places, { output: step.output, push })
    }
  })
}

function emitResult(
  body: FunctionBody,
  places: StepPlaces,
  result: { readonly output: number; readonly push: () => unknown },
): void {
  const { base, offset } = places.target(result.output)
  if (places.mode === 'compare') {
    const difference = places.difference ?? 0
    result.push()
    body.get(base).loadVector(offset).simd('v128.xor').get(difference).simd('v128.or').set(difference)
    return
  }
  body.get(base)
  result.push()
  if (places.mode === 'add') body.get(base).loadVector(offset).simd('v128.xor')
  body.storeVector(offset)
}

/** Gives each value a local and takes it back after the value's last use: the baseline compiler keeps locals on the stack. */
class LocalAllocator {
  readonly #body: FunctionBody
  readonly #lastUse = new Map<number, number>()
  readonly #localOf = new Map<number, number>()
  readonly #free: number[] = []

  constructor(body: FunctionBody, steps: readonly Step[]) {
    this.#body = body
    steps.forEach((step, index) => {
      if (step.op === 'xor') this.#lastUse.set(step.left, index).set(step.right, index)
      else if (step.op === 'store') this.#lastUse.set(step.value, index)
    })
  }

  define(value: number): number {
    const local = this.#free.pop() ?? this.#body.local(V128)
    this.#localOf.set(value, local)
    return local
  }

  read(value: number, step: number): number {
    const local = this.#localOf.get(value)
    if (local === undefined)
      throw new Error(`value ${value} is read before its definition or after its last use`)
    if (this.#lastUse.get(value) === step) {
      this.#localOf.delete(value)
      this.#free.push(local)
    }
    return local
  }
}
