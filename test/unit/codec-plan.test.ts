/**
 * The compiler of XOR code, step by step: what the plan says is executed on symbols here, without WebAssembly.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BoundedCache } from '../../wasm/bounded-cache.ts'
import { codeOf, encodeMap, reconstructMap } from '../../wasm/code.ts'
import { type BinaryField, binaryField } from '../../wasm/field.ts'
import { type Matrix, matrixOf } from '../../wasm/matrix.ts'
import { checkPasses } from '../../wasm/pass-check.ts'
import { TUNED_PROGRAMS } from '../../wasm/tuned-programs.ts'
import type { KernelPass } from '../../wasm/xor-kernel.ts'
import { planXor } from '../../wasm/xor-plan.ts'
import {
  bitRows,
  packProgram,
  shareSums,
  unpackProgram,
  type XorProgram,
  xorCount,
} from '../../wasm/xor-program.ts'
import type { Operand } from '../../wasm/xor-registers.ts'

/** A word as the set of inputs that it is the XOR of, one bit each. */
type Symbols = bigint

/**
 * Executes a pass: registers hold at most `registers` words, memory holds inputs and spilled words, and anything
 * else that is read fails.
 */
function execute(pass: KernelPass, inputs: number, registers: number): Symbols[] {
  const inRegister = new Map<number, Symbols>()
  const justDropped = new Map<number, Symbols>()
  const memory = new Map<number, Symbols>()
  for (let input = 0; input < inputs; input++) memory.set(input, 1n << BigInt(input))
  const outputs: Symbols[] = []
  const read = ({ word, inRegister: held }: Operand): Symbols => {
    const value = held ? (inRegister.get(word) ?? justDropped.get(word)) : memory.get(word)
    assert.notEqual(value, undefined, `word ${word} is where it is read from`)
    return value ?? 0n
  }
  for (const step of pass.steps) {
    if (step.op === 'drop') {
      const value = inRegister.get(step.word)
      if (value !== undefined) justDropped.set(step.word, value)
      inRegister.delete(step.word)
      continue
    }
    if (step.op === 'load') inRegister.set(step.word, read({ word: step.word, inRegister: false }))
    else if (step.op === 'spill') memory.set(step.word, read({ word: step.word, inRegister: true }))
    else if (step.op === 'zero') outputs[step.output] = 0n
    else if (step.op === 'store') outputs[step.output] = read({ word: step.word, inRegister: true })
    else inRegister.set(step.word, read(step.left) ^ read(step.right))
    if (step.op === 'xor' || step.op === 'load') justDropped.clear()
    assert.ok(inRegister.size <= registers, `${inRegister.size} words in ${registers} registers`)
  }
  return outputs
}

function expectedOutputs(field: BinaryField, matrix: Matrix): Symbols[] {
  return bitRows(field, matrix).map((row) => row.reduce((sum, input) => sum ^ (1n << BigInt(input)), 0n))
}

function randomMatrix(rows: number, columns: number, size: number, seed: number): Matrix {
  let state = seed
  return matrixOf({ rows, columns }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 16) % size
  })
}

describe('a plan', () => {
  it('computes its matrix within its registers, for random matrices with zeros in them', () => {
    for (const width of [4, 5, 8] as const) {
      const field = binaryField(width)
      for (const [rows, columns] of [
        [1, 1],
        [2, 4],
        [3, 6],
        [4, 12],
        [9, 7],
      ] as const) {
        for (const registers of [4, 13, 14]) {
          const matrix = randomMatrix(rows, columns, field.size, width * rows + columns)
          const { passes, operations } = planXor(
            field,
            { coefficients: matrix },
            { registers, searchAdditions: 500 },
          )
          const outputs = passes.flatMap((pass) => execute(pass, columns * width, registers))
          assert.deepEqual(outputs, expectedOutputs(field, matrix), `${rows} x ${columns} over 2^${width}`)
          assert.ok(operations > 0)
        }
      }
    }
  })

  it('computes the reconstruction of many patterns of 12+4 and 17+3', () => {
    for (const [dataShards, parityShards] of [
      [12, 4],
      [17, 3],
    ] as const) {
      const code = codeOf({ code: 'cauchy-xor', dataShards, parityShards })
      for (let first = 0; first < dataShards; first += 3) {
        for (const lost of [
          [first, first + 1, dataShards + 1],
          [first, first + 1],
        ]) {
          const present = Array.from(
            { length: dataShards + parityShards },
            (_, shard) => !lost.includes(shard),
          )
          const map = reconstructMap(code, present, lost)
          const { passes } = planXor(code.field, map, { registers: 14, searchAdditions: 0 })
          const outputs = passes.flatMap((pass) => execute(pass, dataShards * code.width, 14))
          assert.deepEqual(outputs, expectedOutputs(code.field, map.coefficients))
        }
      }
    }
  })

  it('is the same every time', () => {
    const code = codeOf({ code: 'cauchy-xor', dataShards: 6, parityShards: 3 })
    const plan = () => planXor(code.field, encodeMap(code), { registers: 14, searchAdditions: 5000 })
    assert.deepEqual(plan(), plan())
  })
})

describe('the check of a plan', () => {
  const field = binaryField(4)
  const matrix = randomMatrix(3, 9, field.size, 7)
  const rows = bitRows(field, matrix)
  const { passes } = planXor(field, { coefficients: matrix }, { registers: 6, searchAdditions: 500 })
  const steps = passes.flatMap((pass) => pass.steps)

  it('passes what was planned, with spilled words in it', () => {
    assert.ok(steps.some(({ op }) => op === 'spill'))
    checkPasses(passes, rows, 36)
  })

  it('refuses a plan from which any step that moves or adds a word is taken away', () => {
    passes.forEach((pass, at) => {
      pass.steps.forEach(({ op }, left) => {
        if (op === 'drop') return
        const without = { ...pass, steps: pass.steps.filter((_, index) => index !== left) }
        const changed = passes.map((kept, index) => (index === at ? without : kept))
        assert.throws(() => checkPasses(changed, rows, 36), /computes another map/, `${op} at ${left}`)
      })
    })
  })

  it('refuses a word that is read after its register was given away', () => {
    const late = [...steps.filter(({ op }) => op !== 'store'), ...steps.filter(({ op }) => op === 'store')]
    assert.throws(() => checkPasses([{ steps: late, firstOutput: 0 }], rows, 36), /computes another map/)
  })

  it('refuses outputs that are missing, too many or in another place', () => {
    const first = passes[0] as KernelPass
    for (const changed of [[], [...passes, first], [{ ...first, firstOutput: 1 }]])
      assert.throws(() => checkPasses(changed, rows, 36), /computes another map/)
  })
})

/** Sums of which one is changed: all would take seconds. */
const CHANGED_EVERY = 7

describe('tuned programs', () => {
  for (const [name, texts] of Object.entries(TUNED_PROGRAMS)) {
    const [dataShards = 0, parityShards = 0] = name.split('+').map(Number)
    const code = codeOf({ code: 'cauchy-xor', dataShards, parityShards })
    const { coefficients } = encodeMap(code)
    const programs = texts.map((text) => unpackProgram(text, dataShards * code.width))
    const plan = (passes?: readonly XorProgram[]) =>
      planXor(
        code.field,
        { coefficients },
        { registers: 14, searchAdditions: 0, ...(passes && { programs: passes }) },
      )

    it(`of ${name} compute its encoder and need fewer operations than a short search`, () => {
      const tuned = plan(programs)
      const outputs = tuned.passes.flatMap((pass) => execute(pass, dataShards * code.width, 14))
      assert.deepEqual(outputs, expectedOutputs(code.field, coefficients))
      const quick = plan()
      assert.ok(tuned.operations <= quick.operations, `${tuned.operations} against ${quick.operations}`)
    })

    it(`of ${name} are refused when one term of any sum, or one output, is another`, () => {
      programs.forEach((program, pass) => {
        const refuse = (changed: XorProgram): void => {
          const changedPrograms = programs.map((kept, index) => (index === pass ? changed : kept))
          assert.throws(() => plan(changedPrograms), /tuned programs? .*comput/)
        }
        program.sums.forEach(([left, right], sum) => {
          if (sum % CHANGED_EVERY > 0) return
          const other = [left, right === 0 ? 1 : right - 1] as const
          refuse({ ...program, sums: program.sums.map((pair, index) => (index === sum ? other : pair)) })
        })
        refuse({ ...program, outputs: program.outputs.toReversed() })
        refuse({ ...program, outputs: [] })
      })
      assert.throws(() => plan(programs.slice(1)), /tuned programs? .*comput/)
    })

    it(`of ${name} are the same after packing`, () => {
      assert.deepEqual(programs.map(packProgram), texts)
    })
  }
})

describe('shared sums', () => {
  it('never cost more than the plain bit matrix', () => {
    const code = codeOf({ code: 'cauchy-xor', dataShards: 8, parityShards: 4 })
    const rows = bitRows(code.field, encodeMap(code).coefficients)
    const plain = rows.reduce((sum, row) => sum + row.length - 1, 0)
    const program = shareSums(rows, 8 * code.width)
    assert.ok(xorCount(program) < plain, `${xorCount(program)} against ${plain}`)
  })
})

describe('the bounded cache', () => {
  it('makes a value once while it is held and forgets what was used least recently', () => {
    const cache = new BoundedCache<string>(2)
    const made: string[] = []
    const get = (key: string): string =>
      cache.get(key, () => {
        made.push(key)
        return key.toUpperCase()
      })
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b']) assert.equal(get(key), key.toUpperCase())
    assert.deepEqual(made, ['a', 'b', 'c', 'b'])
    assert.equal(cache.size, 2)
  })

  it('holds nothing for a value that could not be made', () => {
    const cache = new BoundedCache<string>(2)
    const fail = (): string => {
      throw new Error('no')
    }
    assert.throws(() => cache.get('a', fail), /no/)
    assert.equal(
      cache.get('a', () => 'made'),
      'made',
    )
  })
})
