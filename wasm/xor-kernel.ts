/**
 * One WebAssembly module per linear map: its register plan, straight-line, once per 16-byte column of every packet.
 *
 * Invariant: addresses are base + constant, so a kernel belongs to one cell stride; the constants stay below
 * 4 GiB, where the engine's guard region catches what would leave the memory, without a bounds check.
 */
import type { MapMode } from './engine.ts'
import { encodeModule, FunctionBody, I32, V128 } from './wasm-module.ts'
import type { Operand, Step } from './xor-registers.ts'

/**
 * A word of the codes is a packet of 32 bytes: 256 symbols' bits. Two vectors wide, so that an engine with 256-bit
 * registers can be told to use them (see `lanes`) on the same bytes.
 */
export const PACKET_BYTES = 32
const VECTOR_BYTES = 16

export interface KernelShape {
  readonly mode: MapMode
  /** Packets per block, the w of GF(2^w). */
  readonly width: number
  readonly strideBytes: number
  /** Cell index of each source and target of the map. */
  readonly sources: readonly number[]
  readonly targets: readonly number[]
  /** Address of room for spilled words, a packet each, and the number of words that fit. */
  readonly spillAddress: number
  readonly spillWordsMax: number
  /**
   * 1: the halves of a packet one after the other. 2: both at once, step by step, the form that V8 merges into
   * 256-bit code under --experimental-wasm-revectorize, and that is slower without.
   */
  readonly lanes: 1 | 2
}

/** A share of the targets, computed before the next: each pass reads the sources again and has all registers. */
export interface KernelPass {
  readonly steps: readonly Step[]
  /** Output words of earlier passes: this one's output 0 is the kernel's output `firstOutput`. */
  readonly firstOutput: number
}

/** The module exports `run(address, end): i32`: works on blocks from address up to end, returns 0 for equal. */
export function xorKernelModule(passes: readonly KernelPass[], shape: KernelShape): Uint8Array<ArrayBuffer> {
  const body = new FunctionBody(2)
  const [address, end] = [0, 1]
  const difference = shape.mode === 'compare' ? body.local(V128) : undefined
  const place = (cells: readonly number[], word: number): Place => {
    const cell = cells[Math.floor(word / shape.width)]
    if (cell === undefined) throw new RangeError(`word ${word} is outside of ${cells.length} cells`)
    return { base: address, offset: cell * shape.strideBytes + (word % shape.width) * PACKET_BYTES }
  }
  const emitters = passes.map(
    ({ steps, firstOutput }) =>
      new StepEmitter(body, steps, {
        mode: shape.mode,
        inputs: shape.sources.length * shape.width,
        source: (word) => place(shape.sources, word),
        target: (word) => place(shape.targets, firstOutput + word),
        spillAddress: shape.spillAddress,
        spillWordsMax: shape.spillWordsMax,
        ...(difference !== undefined && { difference }),
      }),
  )
  const steps = passes.reduce((sum, pass) => sum + pass.steps.length, 0)
  const turns = lanesPerTurn(shape.lanes, steps)
  body.loop(() => {
    for (const lanes of turns) for (const emitter of emitters) emitter.emit(lanes)
    emitAdvance(body, {
      address,
      blockBytes: shape.width * PACKET_BYTES,
      bothHalves: turns.flat().length > 1,
    })
    body.get(address).get(end).plain('i32.lt_u').branchIf(0)
  })
  if (difference === undefined) body.i32(0)
  else body.get(difference).simd('v128.any_true')
  return encodeModule([{ name: 'run', parameters: [I32, I32], results: [I32], body }])
}

/** Steps up to which both halves of a packet are written out in the loop: it saves the detour of the address. */
const UNROLLED_STEPS_MAX = 400

/** The halves of a packet that one turn of the loop computes, those in one list step by step together. */
function lanesPerTurn(lanes: 1 | 2, steps: number): readonly (readonly number[])[] {
  if (lanes === 2) return [[0, 1]]
  return steps <= UNROLLED_STEPS_MAX ? [[0], [1]] : [[0]]
}

/**
 * To the next block, or by way of the second half of each packet: cells start at multiples of a packet, so bit 4
 * of the address tells which half was done.
 */
export function emitAdvance(
  body: FunctionBody,
  step: { readonly address: number; readonly blockBytes: number; readonly bothHalves: boolean },
): void {
  const { address, blockBytes, bothHalves } = step
  body.get(address)
  if (bothHalves) {
    body.i32(blockBytes).plain('i32.add').set(address)
    return
  }
  body.i32(VECTOR_BYTES).plain('i32.add')
  body.get(address).i32(VECTOR_BYTES).plain('i32.and')
  body.i32((blockBytes - PACKET_BYTES) / VECTOR_BYTES)
  body.plain('i32.mul').plain('i32.add').set(address)
}

/** The address of a packet: a local that holds a base, and a constant. */
export interface Place {
  readonly base: number
  readonly offset: number
}

export interface StepPlaces {
  readonly mode: MapMode
  /** Words below it are inputs. */
  readonly inputs: number
  readonly source: (word: number) => Place
  readonly target: (word: number) => Place
  readonly spillAddress: number
  readonly spillWordsMax: number
  /** Local that collects differences; only for mode compare. */
  readonly difference?: number
}

/** Appends a register plan to a body, one instruction group per step and lane. */
export class StepEmitter {
  readonly #body: FunctionBody
  readonly #steps: readonly Step[]
  readonly #places: StepPlaces
  /** Locals of a word, one per lane; kept after a drop for the addition that follows it. */
  readonly #localsOf = new Map<number, readonly number[]>()
  /** Words that own their locals now. */
  readonly #live = new Set<number>()
  readonly #free: (readonly number[])[] = []
  readonly #spillSlots = new Map<number, number>()
  #lanes: readonly number[] = []

  constructor(body: FunctionBody, steps: readonly Step[], places: StepPlaces) {
    this.#body = body
    this.#steps = steps
    this.#places = places
  }

  /** @param lanes halves of the packets to compute: 0, 1 or both in turn. */
  emit(lanes: readonly number[]): void {
    this.#lanes = lanes
    for (const step of this.#steps) this.#emitStep(step)
  }

  #emitStep(step: Step): void {
    if (step.op === 'drop') {
      this.#live.delete(step.word)
      this.#free.push(this.#locals(step.word))
    } else if (step.op === 'load') {
      const locals = this.#define(step.word)
      this.#eachLane((lane) => {
        this.#pushFromMemory(step.word, lane)
        this.#body.set(locals[lane] ?? 0)
      })
    } else if (step.op === 'spill') {
      const slot = this.#spillSlot(step.word)
      this.#eachLane((lane) => {
        this.#body.i32(0)
        this.#pushRegister(step.word, lane)
        this.#body.storeVector(slot + lane * VECTOR_BYTES)
      })
    } else if (step.op === 'xor') {
      this.#emitXor(step.word, [step.left, step.right])
    } else {
      this.#eachLane((lane) => {
        this.#emitResult(step, lane)
      })
    }
  }

  #emitXor(word: number, operands: readonly Operand[]): void {
    // Read the operands' locals before the result may take one of them over.
    const locals = operands.map((operand) => (operand.inRegister ? this.#locals(operand.word) : undefined))
    const result = this.#define(word)
    this.#eachLane((lane) => {
      operands.forEach((operand, index) => {
        const local = locals[index]?.[lane]
        if (local === undefined) this.#pushFromMemory(operand.word, lane)
        else this.#body.get(local)
      })
      this.#body.simd('v128.xor').set(result[lane] ?? 0)
    })
  }

  #emitResult(step: Extract<Step, { op: 'store' | 'zero' }>, lane: number): void {
    const { mode, target, difference } = this.#places
    const { base, offset } = target(step.output)
    const at = offset + lane * VECTOR_BYTES
    if (mode !== 'compare') this.#body.get(base)
    if (step.op === 'zero') this.#body.v128(Array(VECTOR_BYTES).fill(0))
    else this.#pushRegister(step.word, lane)
    if (mode !== 'store') this.#body.loadAt(base, at).simd('v128.xor')
    if (difference === undefined) this.#body.storeVector(at)
    else this.#body.get(difference).simd('v128.or').set(difference)
  }

  #pushRegister(word: number, lane: number): void {
    this.#body.get(this.#locals(word)[lane] ?? 0)
  }

  #pushFromMemory(word: number, lane: number): void {
    const laneOffset = lane * VECTOR_BYTES
    if (word < this.#places.inputs) {
      const { base, offset } = this.#places.source(word)
      this.#body.loadAt(base, offset + laneOffset)
    } else {
      this.#body.i32(0).loadVector(this.#spillSlot(word) + laneOffset)
    }
  }

  /** The same word keeps its slot: it may be spilled again with another value, as a running sum is. */
  #spillSlot(word: number): number {
    const slot = this.#spillSlots.get(word) ?? this.#spillSlots.size
    if (slot >= this.#places.spillWordsMax) throw new RangeError(`more than ${slot} words are spilled`)
    this.#spillSlots.set(word, slot)
    return this.#places.spillAddress + slot * PACKET_BYTES
  }

  /** Locals for a new value of `word`: those that it owns, when it is a running sum in registers. */
  #define(word: number): readonly number[] {
    if (this.#live.has(word)) return this.#locals(word)
    this.#live.add(word)
    const locals = this.#free.pop() ?? [this.#body.local(V128), this.#body.local(V128)]
    this.#localsOf.set(word, locals)
    return locals
  }

  #locals(word: number): readonly number[] {
    const locals = this.#localsOf.get(word)
    if (locals === undefined) throw new Error(`word ${word} is read before it is defined`)
    return locals
  }

  #eachLane(emit: (lane: number) => void): void {
    for (const lane of this.#lanes) emit(lane)
  }
}
