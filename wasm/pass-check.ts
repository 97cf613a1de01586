/**
 * Whether the steps of a plan compute the map that they were made for, by executing them on symbols.
 *
 * Invariant: no kernel is emitted from steps that were not checked here. Sharing, cancelling, ordering and registers
 * are search and bookkeeping; a mistake in them would write wrong parity, or restore a wrong shard, without a sign.
 */
import type { KernelPass } from './xor-kernel.ts'
import type { Operand } from './xor-registers.ts'

/** A word as the set of inputs that it is the XOR of, one bit each. */
type Symbols = bigint

/**
 * Throws an Error unless the passes' outputs, one pass after the other, are `rows`: input indices of each output, as
 * from bitRows.
 */
export function checkPasses(
  passes: readonly KernelPass[],
  rows: readonly (readonly number[])[],
  inputs: number,
): void {
  const outputs = passes.flatMap(({ steps, firstOutput }) => {
    const pass = new SymbolicPass(inputs)
    for (const step of steps) pass.take(step)
    return pass.outputs.map((symbols, output) => ({ output: firstOutput + output, symbols }))
  })
  const wrong = rows.findIndex((row, index) => {
    const expected = row.reduce((sum, input) => sum ^ symbolOf(input), 0n)
    return outputs[index]?.output !== index || outputs[index]?.symbols !== expected
  })
  if (wrong >= 0 || outputs.length !== rows.length)
    throw new Error(`the plan computes another map: output ${wrong >= 0 ? wrong : rows.length}`)
}

function symbolOf(input: number): Symbols {
  return 1n << BigInt(input)
}

/** Registers, spilled words and outputs of one pass. What is read where it is not makes an output undefined. */
class SymbolicPass {
  readonly outputs: (Symbols | undefined)[] = []
  readonly #inputs: number
  /** A dropped word keeps its register until another takes it, which the addition that follows may count on. */
  readonly #registers = new Map<number, Symbols | undefined>()
  readonly #dropped = new Set<number>()
  readonly #spilled = new Map<number, Symbols | undefined>()

  constructor(inputs: number) {
    this.#inputs = inputs
  }

  take(step: KernelPass['steps'][number]): void {
    if (step.op === 'drop') {
      this.#dropped.add(step.word)
      return
    }
    if (step.op === 'load') this.#define(step.word, this.#memory(step.word))
    else if (step.op === 'spill') this.#spilled.set(step.word, this.#registers.get(step.word))
    else if (step.op === 'zero') this.outputs[step.output] = 0n
    else if (step.op === 'store') this.outputs[step.output] = this.#registers.get(step.word)
    else this.#define(step.word, sumOf(this.#read(step.left), this.#read(step.right)))
  }

  #define(word: number, symbols: Symbols | undefined): void {
    for (const dropped of this.#dropped) this.#registers.delete(dropped)
    this.#dropped.clear()
    this.#registers.set(word, symbols)
  }

  #read({ word, inRegister }: Operand): Symbols | undefined {
    return inRegister ? this.#registers.get(word) : this.#memory(word)
  }

  #memory(word: number): Symbols | undefined {
    return word < this.#inputs ? symbolOf(word) : this.#spilled.get(word)
  }
}

function sumOf(left: Symbols | undefined, right: Symbols | undefined): Symbols | undefined {
  return left === undefined || right === undefined ? undefined : left ^ right
}
