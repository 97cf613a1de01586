/**
 * Writes tuned-programs.ts: a long search for programs of few operations for the encoders of well-known codes.
 *
 * Run by hand, about a minute per code and some hundred variations:
 * `node --import tsx wasm/tuning/tune-programs.ts <seed> <variations> [<k>+<m> ...]`. It goes on from what the file already
 * holds, so that runs with other seeds add up; after a change of points empty the file first. Deterministic for its
 * arguments and the file.
 *
 * Few XORs alone are not the goal: what is shared must be kept, and costs a load and a store when registers run
 * out. So several networks of few XORs (xor-search.ts) are ordered (network-order.ts), and the best is varied: some
 * sums found anew, the order annealed from where it was, the sum of XORs, loads and stores decides.
 */
import { writeFileSync } from 'node:fs'
import { type Code, codeOf, encodeMap } from '../code.ts'
import { TUNED_PROGRAMS } from '../tuned-programs.ts'
import { networkXors, type XorNetwork } from '../xor-chain.ts'
import { REGISTERS } from '../xor-engine.ts'
import { planPrograms } from '../xor-plan.ts'
import { bitRows, packProgram, unpackProgram, type XorProgram } from '../xor-program.ts'
import { xorshift } from '../xorshift.ts'
import { orderNetwork } from './network-order.ts'
import { searchNetworks, varyNetwork } from './xor-search.ts'

/** Ways to cut the parity shards into passes, by shards per pass. A pass is at most twenty bit rows high. */
const CUTS: Readonly<Record<string, readonly (readonly number[])[]>> = {
  '4+2': [[2]],
  '6+3': [[3]],
  '8+4': [[4]],
  '10+4': [[4]],
  '12+4': [[4]],
  '16+4': [[4]],
  '17+3': [[3]],
  '20+10': [[3, 3, 2, 2]],
}

/** What the search spends on one pass. */
const EFFORT = {
  /** Of searchNetworks. */
  rounds: 60,
  /** Networks that are ordered quickly, in so many moves per XOR. */
  networks: 24,
  quickMoves: 100,
  /** Each variation of the best program is ordered anew from where that one was. */
  variationMoves: 60,
  /** The last word on the order. */
  finalMoves: 2_000,
}
/** Networks with this many XORs more than the fewest may still need fewer operations. */
const XORS_BEYOND = 2
/** Share of the best program's sums that a variation forgets, and how much worse it may be, in operations. */
const FORGOTTEN_MOST = 0.5
const PATIENCE = 0.15
/** Temperatures, in operations: from scratch, and from an order that is good already. */
const HOT = 0.8
const WARM = 0.3

const [seed = '1', variations = '400', ...names] = process.argv.slice(2)

interface Tuned {
  readonly program: XorProgram
  readonly operations: number
}

type Rows = readonly (readonly number[])[]

function tunePass(rows: Rows, { inputs, known, random }: PassTask): Tuned {
  const order = (network: XorNetwork, moves: number, like?: Tuned): Tuned => {
    const xors = networkXors(network)
    const { program, accesses } = orderNetwork(network, {
      registers: REGISTERS,
      steps: moves * xors,
      random,
      hottest: like ? WARM : HOT,
      ...(like && { like: like.program }),
    })
    return { program, operations: xors + accesses }
  }
  let current =
    known ?? least(fewXors(rows, inputs, random).map((network) => order(network, EFFORT.quickMoves)))
  let best = current
  for (let round = 0; round < Number(variations); round++) {
    const forgotten = random() < 0.3 ? 0 : FORGOTTEN_MOST * random() ** 2
    const network = varyNetwork(rows, current.program, { forgotten, slack: XORS_BEYOND, random })
    if (!network) continue
    const next = order(network, EFFORT.variationMoves, current)
    const patience = PATIENCE * (1 - round / Number(variations))
    if (next.operations <= current.operations - patience * Math.log(1 - random())) current = next
    best = least([best, current])
  }
  const last = varyNetwork(rows, best.program, { forgotten: 0, slack: 0, random })
  return last ? least([best, order(last, EFFORT.finalMoves, best)]) : best
}

interface PassTask {
  readonly inputs: number
  /** What to begin with. */
  readonly known?: Tuned
  readonly random: () => number
}

/** The networks found last among those with few XORs: the search wanders, so they differ. */
function fewXors(rows: Rows, inputs: number, random: () => number): readonly XorNetwork[] {
  let networks: XorNetwork[] = []
  searchNetworks(rows, inputs, {
    rounds: EFFORT.rounds,
    random,
    found: (network) => {
      const most = networkXors(network) + XORS_BEYOND
      networks = [...networks.filter((other) => networkXors(other) <= most), network].slice(-EFFORT.networks)
    },
  })
  return networks
}

function tuneCut(code: Code, cut: readonly number[], random: () => number): readonly Tuned[] {
  const { dataShards, parityShards } = code.spec
  const rows = bitRows(code.field, encodeMap(code).coefficients)
  const inputs = dataShards * code.width
  const known = (TUNED_PROGRAMS[`${dataShards}+${parityShards}`] ?? []).map((text) =>
    unpackProgram(text, inputs),
  )
  let from = 0
  return cut.map((shards, pass) => {
    const passRows = rows.slice(from, from + shards * code.width)
    from += passRows.length
    const before = known.length === cut.length ? known[pass] : undefined
    if (before?.outputs.length !== passRows.length) return tunePass(passRows, { inputs, random })
    const { operations } = planPrograms(passRows, [before], REGISTERS)
    return tunePass(passRows, { inputs, random, known: { program: before, operations } })
  })
}

function least<T extends { readonly operations: number }>(candidates: readonly T[]): T {
  return candidates.reduce((best, next) => (next.operations < best.operations ? next : best))
}

function tune(name: string, random: () => number): readonly string[] {
  const [dataShards = 0, parityShards = 0] = name.split('+').map(Number)
  const code = codeOf({ code: 'cauchy-xor', dataShards, parityShards })
  const cuts = (CUTS[name] ?? []).map((cut) => {
    const passes = tuneCut(code, cut, random)
    return { cut, passes, operations: passes.reduce((sum, pass) => sum + pass.operations, 0) }
  })
  const tried = cuts.map(
    ({ cut, passes }) => `${passes.map((pass) => pass.operations).join('+')} (${cut.join(' ')})`,
  )
  console.log(`${name}: ${tried.join(', ')} operations`)
  return least(cuts).passes.map(({ program }) => packProgram(program))
}

function writeTable(programs: Readonly<Record<string, readonly string[]>>): void {
  const entries = Object.keys(CUTS).flatMap((name) => {
    const passes = programs[name]?.map((text) => `    '${text}',`)
    return passes ? [`  '${name}': [\n${passes.join('\n')}\n  ],`] : []
  })
  writeFileSync(
    new URL('../tuned-programs.ts', import.meta.url),
    `/**
 * Programs found by tuning/tune-programs.ts, which writes this file: per encoder and pass the sums in the order of their
 * execution, as packProgram writes them.
 *
 * Invariant: speed only. A program that does not compute the encoder's bit matrix is refused when the plan is made.
 */
export const TUNED_PROGRAMS: Readonly<Record<string, readonly string[]>> = {
${entries.join('\n')}
}
`,
  )
}

const programs: Record<string, readonly string[]> = { ...TUNED_PROGRAMS }
for (const name of names.length > 0 ? names : Object.keys(CUTS)) {
  programs[name] = tune(name, xorshift(Number(seed)))
  writeTable(programs)
}
