/**
 * MD5 of many messages side by side: four to a 128-bit vector, and as many vectors as keep the core busy.
 *
 * Invariant: lanes never mix; a lane's result depends on its own message only. One message is a chain of 64
 * dependent steps that leaves most of the core idle; three vectors of four are twelve chains in the same time.
 * Source: RFC 1321; the constants are its sine table, computed.
 */
import { range } from './code.ts'
import { type ExportedFunction, encodeModule, FunctionBody, I32, V128 } from './wasm-module.ts'

/** Messages per vector, and vectors of the wide kernel: three times four words of state leave registers for the step. */
export const LANES_PER_VECTOR = 4
export const LANES_MAX = 12
export const BLOCK_BYTES = 64
const VECTOR_BYTES = 16
const STEPS = 64
const STATE_WORDS = 4

/** RFC 1321, 3.4: rotations of the four rounds, and the message word of each step. */
const ROTATIONS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const
const WORD_OF_STEP = [
  (step: number): number => step,
  (step: number): number => (5 * step + 1) % 16,
  (step: number): number => (3 * step + 5) % 16,
  (step: number): number => (7 * step) % 16,
] as const

const VECTORS_MAX = LANES_MAX / LANES_PER_VECTOR
const CONSTANTS_ADDRESS = 0
const STATE_ADDRESS = STEPS * 4
const MESSAGE_ADDRESS = STATE_ADDRESS + VECTORS_MAX * STATE_WORDS * VECTOR_BYTES
/** What the kernel keeps at the start of its memory; message buffers lie behind. */
export const HEAD_BYTES = 4096

/** RFC 1321, 3.3. */
export const INITIAL_STATE: readonly number[] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]

export interface Md5Kernel {
  /**
   * Advances each state by `blocks` blocks read from its address, in place. As many states as addresses, at most
   * LANES_MAX; all addresses hold at least `blocks` blocks.
   */
  run(states: readonly Uint32Array[], addresses: readonly number[], blocks: number): void
}

type Run = (blocks: number, ...addresses: readonly number[]) => void

/** Kernels in `memory`, whose first HEAD_BYTES they own. */
export function md5Kernel(memory: WebAssembly.Memory): Md5Kernel {
  const words = new Uint32Array(memory.buffer, 0, HEAD_BYTES / 4)
  for (let step = 0; step < STEPS; step++) words[step] = constantOf(step)
  const module = new WebAssembly.Module(encodeModule(range(1, VECTORS_MAX + 1).map(kernelFunction)))
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  const byVectors = range(1, VECTORS_MAX + 1).map((vectors) => exports[`md5x${vectors}`] as Run)
  return {
    run: (states, addresses, blocks) => {
      const vectors = Math.ceil(addresses.length / LANES_PER_VECTOR)
      const run = byVectors[vectors - 1]
      if (!run || states.length !== addresses.length) throw new RangeError(`${addresses.length} lanes`)
      states.forEach((state, lane) => {
        for (let word = 0; word < STATE_WORDS; word++) words[stateIndex(lane, word)] = state[word] ?? 0
      })
      // Lanes without a message repeat the first one: their results are not read.
      const all = range(0, vectors * LANES_PER_VECTOR).map((lane) => addresses[lane] ?? addresses[0] ?? 0)
      run(blocks, ...all)
      states.forEach((state, lane) => {
        for (let word = 0; word < STATE_WORDS; word++) state[word] = words[stateIndex(lane, word)] ?? 0
      })
    },
  }
}

/** Index of a 32-bit word of a lane's state: word-major within a vector's four state vectors. */
function stateIndex(lane: number, word: number): number {
  const vector = Math.floor(lane / LANES_PER_VECTOR)
  return STATE_ADDRESS / 4 + (vector * STATE_WORDS + word) * LANES_PER_VECTOR + (lane % LANES_PER_VECTOR)
}

/** md5xN(blocks, address of each lane). */
function kernelFunction(vectors: number): ExportedFunction {
  const lanes = vectors * LANES_PER_VECTOR
  const body = new FunctionBody(1 + lanes)
  const blocks = 0
  const states = range(0, vectors).map(() => range(0, STATE_WORDS).map(() => body.local(V128)))
  const stateAddress = (vector: number, word: number): number =>
    STATE_ADDRESS + (vector * STATE_WORDS + word) * VECTOR_BYTES
  const work: Workspace = { sum: body.local(V128), constant: body.local(V128) }
  const transposed = range(0, 8).map(() => body.local(V128))
  states.forEach((state, vector) => {
    state.forEach((local, word) => {
      body.i32(0).loadVector(stateAddress(vector, word)).set(local)
    })
  })
  body.loop(() => {
    for (let vector = 0; vector < vectors; vector++) emitTranspose(body, vector, transposed)
    for (let step = 0; step < STEPS; step++) emitStep(body, step, states, work)
    states.forEach((state, vector) => {
      state.forEach((local, word) => {
        const address = stateAddress(vector, word)
        body.i32(0).get(local).i32(0).loadVector(address).simd('i32x4.add').tee(local).storeVector(address)
      })
    })
    for (const lane of range(1, lanes + 1)) body.get(lane).i32(BLOCK_BYTES).plain('i32.add').set(lane)
    body.get(blocks).i32(1).plain('i32.sub').tee(blocks).branchIf(0)
  })
  const parameters = range(0, 1 + lanes).map(() => I32)
  return { name: `md5x${vectors}`, parameters, results: [], body }
}

/** Word i of four messages -> one vector, for all sixteen words, into the scratch area. */
function emitTranspose(body: FunctionBody, vector: number, locals: readonly number[]): void {
  const rows = locals.slice(0, 4)
  const halves = locals.slice(4, 8)
  for (let quarter = 0; quarter < 4; quarter++) {
    rows.forEach((row, lane) => {
      body
        .get(1 + vector * LANES_PER_VECTOR + lane)
        .loadVector(quarter * VECTOR_BYTES)
        .set(row)
    })
    const pair = (left: number | undefined, right: number | undefined, lanes: readonly number[]): void => {
      body
        .get(left ?? 0)
        .get(right ?? 0)
        .shuffle(wordLanes(lanes))
    }
    halves.forEach((half, index) => {
      pair(rows[index < 2 ? 0 : 2], rows[index < 2 ? 1 : 3], index % 2 === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7])
      body.set(half)
    })
    for (let word = 0; word < 4; word++) {
      body.i32(0)
      pair(halves[word >> 1], halves[2 + (word >> 1)], word % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7])
      body.storeVector(messageAddress(vector, 4 * quarter + word))
    }
  }
}

interface Workspace {
  readonly sum: number
  readonly constant: number
}

/** One step of all vectors: a = b + rotate(a + f(b, c, d) + message + constant), roles rotating with the step. */
function emitStep(
  body: FunctionBody,
  step: number,
  states: readonly (readonly number[])[],
  work: Workspace,
): void {
  const round = Math.floor(step / 16)
  const word = WORD_OF_STEP[round]?.(step % 16) ?? 0
  const rotation = ROTATIONS[round]?.[step % 4] ?? 0
  body
    .i32(0)
    .loadSplat32(CONSTANTS_ADDRESS + 4 * step)
    .set(work.constant)
  states.forEach((state, vector) => {
    const role = (index: number): number => state[(index + 4 * STEPS - step) % STATE_WORDS] ?? 0
    const [a, b, c, d] = [role(0), role(1), role(2), role(3)]
    // What does not depend on b comes first: b is the result of the step before.
    body.get(a).get(work.constant).simd('i32x4.add')
    body.i32(0).loadVector(messageAddress(vector, word)).simd('i32x4.add')
    emitRoundFunction(body, round, { b, c, d })
    body.set(work.sum)
    emitRotation(body, work.sum, rotation)
    body.get(b).simd('i32x4.add').set(a)
  })
}

/** Adds the round function of b, c and d to the sum on the stack. */
function emitRoundFunction(
  body: FunctionBody,
  round: number,
  { b, c, d }: { readonly b: number; readonly c: number; readonly d: number },
): void {
  if (round === 0) {
    body.get(d).get(c).get(d).simd('v128.xor').get(b).simd('v128.and').simd('v128.xor').simd('i32x4.add')
  } else if (round === 1) {
    // The two halves never have a bit in common, so they may be added one by one: c & ~d does not wait for b.
    body.get(c).get(d).simd('v128.andnot').simd('i32x4.add')
    body.get(b).get(d).simd('v128.and').simd('i32x4.add')
  } else if (round === 2) {
    body.get(c).get(d).simd('v128.xor').get(b).simd('v128.xor').simd('i32x4.add')
  } else {
    // c ^ (b | ~d) = ~(c ^ (d & ~b)), and adding ~x is subtracting x + 1: the one is in the constants.
    body.get(c).get(d).get(b).simd('v128.andnot').simd('v128.xor').simd('i32x4.sub')
  }
}

/** RFC 1321's sine table, less one in the last round: see emitRoundFunction. */
function constantOf(step: number): number {
  return (Math.floor(2 ** 32 * Math.abs(Math.sin(step + 1))) - (step < 48 ? 0 : 1)) >>> 0
}

/** Pushes each 32-bit word of `local`, rotated left; by half a word it is a shuffle. */
function emitRotation(body: FunctionBody, local: number, bits: number): void {
  if (bits === 16) {
    const halves = [2, 3, 0, 1]
    body
      .get(local)
      .get(local)
      .shuffle(range(0, VECTOR_BYTES).map((at) => (at & ~3) + (halves[at & 3] ?? 0)))
    return
  }
  body.get(local).i32(bits).simd('i32x4.shl')
  body
    .get(local)
    .i32(32 - bits)
    .simd('i32x4.shr_u')
    .simd('v128.or')
}

function messageAddress(vector: number, word: number): number {
  return MESSAGE_ADDRESS + (vector * 16 + word) * VECTOR_BYTES
}

/** Byte lanes of a shuffle of 32-bit words. */
function wordLanes(words: readonly number[]): number[] {
  return words.flatMap((word) => [4 * word, 4 * word + 1, 4 * word + 2, 4 * word + 3])
}
