/**
 * How a linear map becomes straight-line code: in how many passes over the targets, with which sums shared, in
 * which order, in which registers.
 *
 * Invariant: a plan computes the map; everything decided here is speed. Deterministic, and bounded in time: a new
 * erasure pattern must be ready within milliseconds. For the encoders of well-known codes programs were searched
 * for much longer beforehand (tuned-programs.ts).
 */
import type { LinearMap } from './code.ts'
import type { BinaryField } from './field.ts'
import { entryAt, type Matrix, matrixOf } from './matrix.ts'
import { checkPasses } from './pass-check.ts'
import { cancelSums } from './xor-chain.ts'
import type { KernelPass } from './xor-kernel.ts'
import {
  eagerPriorities,
  eventsOf,
  numberedPriorities,
  orderBy,
  searchOrder,
  type XorEvents,
} from './xor-order.ts'
import {
  bitRows,
  composePrograms,
  computesRows,
  shareSums,
  type XorProgram,
  xorCount,
} from './xor-program.ts'
import { assignRegisters } from './xor-registers.ts'

export interface PlanOptions {
  /** Vector registers that the code may use. */
  readonly registers: number
  /** Additions that the search for an order may try in total. */
  readonly searchAdditions: number
  /** Programs found beforehand, one per pass, their sums in the order of execution. */
  readonly programs?: readonly XorProgram[]
}

export interface XorPlan {
  readonly passes: readonly KernelPass[]
  /** Additions, loads and stores of one column: the core retires a fixed number of them a cycle. */
  readonly operations: number
  /** Whether half of the registers are enough, so that two columns can be computed side by side. */
  readonly sideBySide: boolean
}

/** Targets per pass that are tried: more targets share more sums, fewer fit the registers. */
const TARGETS_PER_PASS = [2, 3, 4]
/** Above it only this size is tried: every try shares sums anew, which is most of a plan's time. */
const TARGETS_TRIED_MAX = 6
const TARGETS_PER_PASS_BEYOND = 2
/** Up to here sums are cancelled: three lost of 17+3 and four of 12+4, in about 5 ms. Small: both ways are tried. */
const CHAIN_SIZE_MAX = 2 ** 22
const CHAIN_SIZE_SMALL = 2 ** 18
/** Of the search for an order: plans are the same every time. */
const SEED = 1

/**
 * The plan of `options.programs`, or without those the one with the fewest operations among the ways to cut the
 * targets into passes. Throws an Error when its steps do not compute the map: nothing unchecked is ever run.
 */
export function planXor(field: BinaryField, map: PlannedMap, options: PlanOptions): XorPlan {
  const rows = bitRows(field, map.coefficients)
  const plan = options.programs
    ? planPrograms(rows, options.programs, options.registers)
    : planNew(field, map, options)
  checkPasses(plan.passes, rows, map.coefficients.columns * field.width)
  return plan
}

function planNew(field: BinaryField, map: PlannedMap, options: PlanOptions): XorPlan {
  const drafts = draftPlans(field, map, options.registers)
  const operations = (draft: readonly DraftPass[]): number =>
    draft.reduce((sum, pass) => sum + pass.operations, 0)
  const best = drafts.reduce((least, draft) => (operations(draft) < operations(least) ? draft : least))
  const narrow = sideBySidePlan(best, options.registers)
  return narrow ?? assemble(searchOrders(best, options), options.registers)
}

/** A plan of programs found beforehand, one per pass. Throws an Error unless they compute `rows`. */
export function planPrograms(
  rows: readonly (readonly number[])[],
  programs: readonly XorProgram[],
  registers: number,
): XorPlan {
  let from = 0
  for (const program of programs) {
    const to = from + program.outputs.length
    if (!computesRows(program, rows.slice(from, to)))
      throw new Error(`the tuned program of outputs ${from} to ${to} computes another map`)
    from = to
  }
  if (from !== rows.length) throw new Error(`tuned programs compute ${from} of ${rows.length} outputs`)
  const passes = programs.map((program) => {
    const events = eventsOf(program)
    return { events, order: orderBy(events, numberedPriorities(events)) }
  })
  return assemble(passes, registers)
}

type PlannedMap = Pick<LinearMap, 'coefficients' | 'factors'>

/**
 * Ways to compute the map. Where sums can be cancelled in time, one pass is best, and by way of factors as good as
 * directly, unless there is time for both; otherwise several cuts are tried, and both ways, with shared sums: two
 * passes of cancelled ones need fewer operations at 16+4, four lost, and are 6 % slower. Many targets are cut narrowly
 * enough for cancelling.
 */
function draftPlans(
  field: BinaryField,
  { coefficients, factors }: PlannedMap,
  registers: number,
): DraftPass[][] {
  const size = chainSize(field, coefficients)
  const most = size <= CHAIN_SIZE_MAX || coefficients.rows > TARGETS_TRIED_MAX ? CHAIN_SIZE_MAX : 0
  const composed = (): DraftPass[] => {
    if (!factors) return []
    const program = composePrograms(
      programOf(field, factors.inner, most),
      programOf(field, factors.outer, most),
    )
    return [draftPass(program, registers)]
  }
  const cut = (count: number): DraftPass[] =>
    cutRows(coefficients, count).map((rows) => draftPass(programOf(field, rows, most / count), registers))
  if (factors && size <= CHAIN_SIZE_SMALL) return [cut(1), composed()]
  if (size <= CHAIN_SIZE_MAX) return [factors ? composed() : cut(1)]
  const drafts = passCounts(coefficients).map(cut)
  // For many targets the detour has won in none of two hundred patterns, and takes a quarter of the time.
  return factors && coefficients.rows <= TARGETS_TRIED_MAX ? [...drafts, composed()] : drafts
}

/** Numbers of passes to try. */
function passCounts({ rows }: Matrix): number[] {
  if (rows > TARGETS_TRIED_MAX) return [Math.ceil(rows / TARGETS_PER_PASS_BEYOND)]
  return [...new Set(TARGETS_PER_PASS.map((targets) => Math.ceil(rows / targets)))]
}

/** Rows in `count` groups, as even as possible. */
function cutRows(matrix: Matrix, count: number): Matrix[] {
  return Array.from({ length: count }, (_, group) => {
    const from = Math.floor((group * matrix.rows) / count)
    const to = Math.floor(((group + 1) * matrix.rows) / count)
    const shape = { rows: to - from, columns: matrix.columns }
    return matrixOf(shape, (row, column) => entryAt(matrix, from + row, column))
  })
}

interface OrderedPass {
  readonly events: XorEvents
  readonly order: Int32Array
}

/** In the order in which inputs arrive. */
interface DraftPass extends OrderedPass {
  readonly operations: number
}

/** @param most chain size up to which sums are cancelled instead of shared. */
function programOf(field: BinaryField, rows: Matrix, most: number): XorProgram {
  const [bits, inputs] = [bitRows(field, rows), rows.columns * field.width]
  return chainSize(field, rows) <= most ? cancelSums(bits, inputs) : shareSums(bits, inputs)
}

/** To which the time for cancelling sums is about proportional: size of the table of numbers, times inputs. */
function chainSize(field: BinaryField, { rows, columns }: Matrix): number {
  return 2 ** (rows * field.width) * columns * field.width
}

function draftPass(program: XorProgram, registers: number): DraftPass {
  const events = eventsOf(program)
  const order = orderBy(events, eagerPriorities(events))
  const { loads, stores } = assignRegisters(events, order, registers)
  return { events, order, operations: xorCount(program) + loads + stores }
}

/**
 * The plan for two columns at a time, where one pass over the sources in their order reads every word once and
 * spills none in half of the registers: no search can make it shorter. A plain XOR of cells is of this kind, and
 * taking whole cache lines of one cell after the other is worth a tenth of its speed.
 */
function sideBySidePlan(draft: readonly DraftPass[], registers: number): XorPlan | undefined {
  const [pass] = draft
  if (!pass || draft.length > 1) return undefined
  const { inputs, outputs } = pass.events.program
  const { loads, stores } = assignRegisters(pass.events, pass.order, registers >> 1)
  if (loads > inputs || stores > outputs.length) return undefined
  return { ...assemble(draft, registers >> 1), sideBySide: true }
}

/** Fewer change nothing and cost a wide pattern a fifth of its time. */
const SEARCH_STEPS_MIN = 8

function searchOrders(draft: readonly DraftPass[], options: PlanOptions): readonly OrderedPass[] {
  const additions = draft.reduce((sum, pass) => sum + pass.order.length, 0)
  const steps = Math.floor(options.searchAdditions / (additions + 1))
  if (steps < SEARCH_STEPS_MIN) return draft
  return draft.map(({ events }) => {
    const cost = (order: Int32Array): number => {
      const { loads, stores } = assignRegisters(events, order, options.registers)
      return loads + stores
    }
    return { events, order: searchOrder(events, { steps, seed: SEED, cost }) }
  })
}

function assemble(ordered: readonly OrderedPass[], registers: number): XorPlan {
  const passes: KernelPass[] = []
  let firstOutput = 0
  let operations = 0
  for (const { events, order } of ordered) {
    const { steps, loads, stores } = assignRegisters(events, order, registers)
    passes.push({ steps, firstOutput })
    firstOutput += events.program.outputs.length
    operations += xorCount(events.program) + loads + stores
  }
  return { passes, operations, sideBySide: false }
}
