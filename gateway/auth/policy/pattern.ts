/**
 * Texts of policies with wildcards and variables, compiled once: `arn:aws:s3:::evidence/${aws:username}/*`.
 *
 * `*` is any run of characters, `?` is one (a UTF-16 unit). A variable stands for the one value of a context key and is
 * never a wildcard itself, whatever it holds; without that value the text matches nothing, unless it names a default
 * (`${aws:PrincipalTag/team, 'all'}`). `${*}`, `${?}`, `${$}` are those characters.
 * Cost of a match: length of the text times length of the pattern at worst, never exponential.
 * Source: IAM User Guide, "IAM policy elements: Variables and tags".
 */
import type { ContextKeys } from './keys.ts'

export interface Pattern {
  matches(text: string, keys: ContextKeys): boolean
  /** Lower-case names of the context keys that it reads. */
  readonly variables: readonly string[]
}

export interface PatternSyntax {
  /** `*` and `?` are wildcards. */
  readonly wildcards: boolean
  /** `${...}` are variables: policies of version 2012-10-17. */
  readonly variables: boolean
}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'one' }
  | { readonly kind: 'variable'; readonly name: string; readonly fallback: string | undefined }

/** A run between two `*`: its text, and where in it stands a `?` (any character; the text holds a filler there). */
interface Run {
  readonly text: string
  readonly ones: ReadonlySet<number> | undefined
}

const variable = /^\$\{([^{}]*)\}/
const named = /^([^,\s']+)(?:\s*,\s*'([^']*)')?$/

function variableToken(inside: string): Token | undefined {
  if (inside === '*' || inside === '?' || inside === '$') return { kind: 'text', text: inside }
  const parts = named.exec(inside.trim())
  if (parts?.[1] === undefined) return undefined
  return { kind: 'variable', name: parts[1].toLowerCase(), fallback: parts[2] }
}

function tokenize(source: string, syntax: PatternSyntax): readonly Token[] {
  const tokens: Token[] = []
  let text = ''
  const push = (token: Token): void => {
    if (text !== '') tokens.push({ kind: 'text', text })
    text = ''
    tokens.push(token)
  }
  for (let at = 0; at < source.length; at++) {
    const char = source.charAt(at)
    if (syntax.variables && char === '$') {
      const found = variable.exec(source.slice(at))
      const token = found?.[1] === undefined ? undefined : variableToken(found[1])
      if (found !== null && token !== undefined) {
        if (token.kind === 'text') text += token.text
        else push(token)
        at += found[0].length - 1
        continue
      }
    }
    if (syntax.wildcards && char === '*') push({ kind: 'any' })
    else if (syntax.wildcards && char === '?') push({ kind: 'one' })
    else text += char
  }
  if (text !== '') tokens.push({ kind: 'text', text })
  return tokens
}

/** The runs between `*`, variables filled in; undefined when one of them has no single value. */
function fill(tokens: readonly Token[], keys: ContextKeys | undefined): readonly Run[] | undefined {
  const runs: Run[] = []
  let text = ''
  let ones: Set<number> | undefined
  const end = (): void => {
    runs.push({ text, ones })
    text = ''
    ones = undefined
  }
  for (const token of tokens) {
    if (token.kind === 'text') text += token.text
    else if (token.kind === 'any') end()
    else if (token.kind === 'one') {
      ones ??= new Set()
      ones.add(text.length)
      text += '?'
    } else {
      const values = keys?.get(token.name)
      const value = values?.length === 1 ? values[0] : values === undefined ? token.fallback : undefined
      if (value === undefined) return undefined
      text += value
    }
  }
  end()
  return runs
}

function standsAt(run: Run, text: string, at: number): boolean {
  if (run.ones === undefined) return text.startsWith(run.text, at)
  if (at + run.text.length > text.length) return false
  for (let index = 0; index < run.text.length; index++) {
    if (run.ones.has(index)) continue
    if (run.text.charCodeAt(index) !== text.charCodeAt(at + index)) return false
  }
  return true
}

/** First place from `at` on where the run stands and ends by `end`; -1: none. */
function find(run: Run, text: string, bounds: { at: number; end: number }): number {
  const last = bounds.end - run.text.length
  if (run.ones === undefined) {
    const found = text.indexOf(run.text, bounds.at)
    return found > last ? -1 : found
  }
  for (let at = bounds.at; at <= last; at++) if (standsAt(run, text, at)) return at
  return -1
}

function matchRuns(runs: readonly Run[], text: string): boolean {
  const first = runs[0]
  const last = runs[runs.length - 1]
  if (first === undefined || last === undefined) return false
  if (runs.length === 1) return text.length === first.text.length && standsAt(first, text, 0)
  const end = text.length - last.text.length
  if (end < first.text.length || !standsAt(first, text, 0) || !standsAt(last, text, end)) return false
  let at = first.text.length
  for (let index = 1; index < runs.length - 1; index++) {
    const run = runs[index]
    if (run === undefined) return false
    const found = find(run, text, { at, end })
    if (found < 0) return false
    at = found + run.text.length
  }
  return true
}

/** Compiles a text of a policy. Never throws: what is no variable stands for itself. */
export function compilePattern(source: string, syntax: PatternSyntax): Pattern {
  const tokens = tokenize(source, syntax)
  const variables = tokens.flatMap((token) => (token.kind === 'variable' ? [token.name] : []))
  if (variables.length > 0) {
    return {
      variables,
      matches: (text, keys) => {
        const runs = fill(tokens, keys)
        return runs !== undefined && matchRuns(runs, text)
      },
    }
  }
  const runs = fill(tokens, undefined) ?? []
  const only = runs.length === 1 ? runs[0] : undefined
  if (only !== undefined && only.ones === undefined) {
    return { variables, matches: (text) => text === only.text }
  }
  return { variables, matches: (text) => matchRuns(runs, text) }
}

/** Parts of an ARN: partition, service, region, account, resource after `arn`. */
const arnParts = 6

/** Cuts at the first five colons that are not inside a variable; the rest is one part. */
function splitArn(source: string): readonly string[] {
  const parts: string[] = []
  let begin = 0
  for (let at = 0; at < source.length && parts.length < arnParts - 1; at++) {
    if (source.startsWith('${', at)) {
      const close = source.indexOf('}', at)
      if (close < 0) break
      at = close
    } else if (source[at] === ':') {
      parts.push(source.slice(begin, at))
      begin = at + 1
    }
  }
  parts.push(source.slice(begin))
  return parts
}

function splitPlainArn(text: string): readonly string[] | undefined {
  const parts: string[] = []
  let begin = 0
  while (parts.length < arnParts - 1) {
    const colon = text.indexOf(':', begin)
    if (colon < 0) return undefined
    parts.push(text.slice(begin, colon))
    begin = colon + 1
  }
  parts.push(text.slice(begin))
  return parts
}

/**
 * Compiles an ARN with wildcards: part by part, so that a wildcard does not reach across a colon, but for the last
 * part. `*` alone is every ARN. Undefined when it has not six parts or does not begin with `arn`.
 */
export function compileArnPattern(source: string, syntax: PatternSyntax): Pattern | undefined {
  if (source === '*' && syntax.wildcards) return { variables: [], matches: () => true }
  const parts = splitArn(source)
  if (parts.length !== arnParts || parts[0] !== 'arn') return undefined
  const patterns = parts.map((part) => compilePattern(part, syntax))
  const variables = patterns.flatMap((pattern) => pattern.variables)
  const resource = patterns[arnParts - 1]
  const head = parts.slice(0, -1).join(':')
  if (resource !== undefined && !/[*?$]/.test(head)) {
    // Nearly all: nothing to interpret before the resource.
    const prefix = `${head}:`
    return {
      variables,
      matches: (text, keys) => text.startsWith(prefix) && resource.matches(text.slice(prefix.length), keys),
    }
  }
  return {
    variables,
    matches: (text, keys) => {
      const found = splitPlainArn(text)
      return found?.every((part, index) => patterns[index]?.matches(part, keys) === true) ?? false
    },
  }
}
