/**
 * The house rules that a reader relies on: who may import whom. The table is that of ARCHITECTURE.md.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')

interface Layer {
  readonly name: string
  readonly holds: RegExp
  /** Files of the checkout that it may import, besides its own. */
  readonly may: RegExp
  /** Packages and built-in modules that it may import; undefined: any. */
  readonly packages?: RegExp
}

const anywhereInNode = /^node\//

/** The first layer that holds a file counts. */
const layers: readonly Layer[] = [
  { name: 'node/core', holds: /^node\/core\//, may: /^node\/errors\.ts$/, packages: /^msgpackr$/ },
  { name: 'node/protocol', holds: /^node\/protocol\//, may: /^node\/(core\/|errors\.ts$|world\.ts$)/ },
  {
    name: 'node/services',
    holds: /^node\/services\//,
    may: /^(node\/(core\/|protocol\/|errors\.ts$|world\.ts$)|wasm\/codec\.ts$)/,
  },
  {
    name: 'node/io',
    holds: /^node\/io\//,
    may: /^node\/(core\/|protocol\/|errors\.ts$|world\.ts$)/,
  },
  {
    name: 'node/client.ts',
    holds: /^node\/client\.ts$/,
    may: /^node\/(core\/|protocol\/|services\/|errors\.ts$|world\.ts$)/,
  },
  { name: 'node, wiring', holds: anywhereInNode, may: /^(node|wasm)\// },
  { name: 'wasm', holds: /^wasm\//, may: /^$/ },
  { name: 'gateway, table of operations', holds: /^gateway\/operations\/index\.ts$/, may: /^gateway\// },
  { name: 'gateway, wiring', holds: /^gateway\/(main|config)\.ts$/, may: /^(gateway|node|wasm)\// },
  {
    name: 'gateway/operations',
    holds: /^gateway\/operations\//,
    may: /^(gateway\/(?!operations\/)|node\/core\/|node\/errors\.ts$)/,
  },
  {
    name: 'gateway',
    holds: /^gateway\//,
    may: /^(gateway\/operations\/index\.ts$|wasm\/|node\/(client\.ts$|core\/|protocol\/envelope\.ts$|protocol\/messages\.ts$|errors\.ts$|world\.ts$))/,
  },
  { name: 'ops', holds: /^ops\//, may: /^(node|gateway|wasm)\// },
]

function sourceFiles(): string[] {
  return ['node', 'gateway', 'wasm', 'ops'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => join(folder, name)),
  )
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return [
    ...text.matchAll(/(?:^|\n)\s*(?:import|export)[^'"\n]*?(?:\{[^}]*\}[^'"\n]*?)?from\s+'([^']+)'/g),
  ].map((match) => match[1] ?? '')
}

function breachesOf(file: string): string[] {
  const at = layers.findIndex((layer) => layer.holds.test(file))
  const layer = layers[at]
  if (layer === undefined) return [`${file} is in no layer`]
  return importsOf(file).flatMap((specifier) => {
    if (!specifier.startsWith('.')) {
      const allowed = layer.packages === undefined || layer.packages.test(specifier)
      return allowed ? [] : [`${file} (${layer.name}) imports the package ${specifier}`]
    }
    const target = relative(root, normalize(join(root, dirname(file), specifier)))
    const own =
      layers.findIndex((other) => other.holds.test(target)) === at && layer.name !== 'gateway/operations'
    return own || layer.may.test(target) ? [] : [`${file} (${layer.name}) imports ${target}`]
  })
}

test('every import goes in the direction of the table', () => {
  const files = sourceFiles()
  assert.ok(files.length > 100, 'the search finds the sources')
  assert.deepEqual(files.flatMap(breachesOf), [])
})

test('the search for imports sees every form that the house uses', () => {
  const imports = importsOf('node/storage-node.ts')
  assert.ok(
    imports.includes('node:fs') && imports.includes('./core/catalog.ts') && imports.includes('./world.ts'),
  )
})
