/**
 * Shapes of messages: small checks that tell what is wrong with a value that came from outside.
 *
 * A shape checks and never copies or converts, so fields that it does not know pass through unchanged: a newer peer's
 * additions survive. A shape never throws. Used where a command enters a state machine, where zod would cost more
 * than applying the command.
 */
import { utf8Bytes } from './byte-order.ts'

/** Returns what is wrong, beginning with the place, or undefined. */
export type Shape = (value: unknown) => string | undefined

/** Text of at most `bytesMax` UTF-8 bytes, well-formed: a lone surrogate would change on its way through UTF-8. */
export function text(bytesMax: number): Shape {
  return (value) => {
    if (typeof value !== 'string') return 'is not text'
    if (!value.isWellFormed()) return 'is not well-formed Unicode'
    return value.length * 3 > bytesMax && utf8Bytes(value) > bytesMax
      ? `is longer than ${bytesMax} bytes`
      : undefined
  }
}

/** Text that matches; the pattern must be anchored. */
export function matching(pattern: RegExp): Shape {
  return (value) =>
    typeof value === 'string' && pattern.test(value) ? undefined : `does not match ${pattern}`
}

/** An integer in the closed range. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Shape {
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `is not an integer from ${min} to ${max}`
}

export function oneOf(...values: readonly (string | number | boolean)[]): Shape {
  return (value) => (values.includes(value as string) ? undefined : `is none of ${values.join(', ')}`)
}

export function bytes(countMax: number): Shape {
  return (value) =>
    value instanceof Uint8Array && value.length <= countMax
      ? undefined
      : `is not bytes, or more than ${countMax}`
}

export function list(item: Shape, bounds: { min?: number; max: number }): Shape {
  const min = bounds.min ?? 0
  return (value) => {
    if (!Array.isArray(value)) return 'is not a list'
    if (value.length < min || value.length > bounds.max) return `has not ${min} to ${bounds.max} entries`
    for (let at = 0; at < value.length; at += 1) {
      const wrong = item(value[at])
      if (wrong !== undefined) return `[${at}] ${wrong}`
    }
    return undefined
  }
}

/** A map from names to values that all have one shape. */
export function dictionary(value: Shape, bounds: { max: number }): Shape {
  return (candidate) => {
    if (!isRecord(candidate)) return 'is not a map'
    const entries = Object.entries(candidate)
    if (entries.length > bounds.max) return `has more than ${bounds.max} entries`
    for (const [name, each] of entries) {
      const wrong = name.isWellFormed() ? value(each) : 'has a name that is not well-formed Unicode'
      if (wrong !== undefined) return `.${name} ${wrong}`
    }
    return undefined
  }
}

/** Named fields; those in `optional` may be absent. Other fields pass. */
export function record(
  required: Readonly<Record<string, Shape>>,
  optional: Readonly<Record<string, Shape>> = {},
): Shape {
  const needed = Object.entries(required)
  const allowed = Object.entries(optional)
  return (value) => {
    if (!isRecord(value)) return 'is not a map'
    for (const [name, shape] of needed) {
      const wrong = shape(value[name])
      if (wrong !== undefined) return `.${name} ${wrong}`
    }
    for (const [name, shape] of allowed) {
      const wrong = value[name] === undefined ? undefined : shape(value[name])
      if (wrong !== undefined) return `.${name} ${wrong}`
    }
    return undefined
  }
}

/**
 * Named fields and no others: for documents that are signed, where a field that this version does not understand must
 * not be agreed to.
 */
export function exactRecord(required: Readonly<Record<string, Shape>>): Shape {
  const shape = record(required)
  return (value) => {
    const wrong = shape(value)
    if (wrong !== undefined) return wrong
    const stranger = Object.keys(value as object).find((name) => !Object.hasOwn(required, name))
    return stranger === undefined ? undefined : `.${stranger} is unknown`
  }
}

/** Plain data: null, booleans, safe integers, well-formed text, lists and maps of these, within bounds. */
export function plain(bounds: { depthMax: number; valuesMax: number; textBytesMax: number }): Shape {
  const leaf = text(bounds.textBytesMax)
  return (value) => {
    let values = 0
    const check = (each: unknown, depth: number): string | undefined => {
      values += 1
      if (values > bounds.valuesMax) return `has more than ${bounds.valuesMax} values`
      if (each === null || typeof each === 'boolean' || Number.isSafeInteger(each)) return undefined
      if (typeof each === 'string') return leaf(each)
      if (depth === bounds.depthMax) return `is deeper than ${bounds.depthMax} levels`
      if (!Array.isArray(each) && !isRecord(each)) return 'is not plain data'
      for (const [name, member] of Object.entries(each)) {
        const wrong = leaf(name) ?? check(member, depth + 1)
        if (wrong !== undefined) return wrong
      }
      return undefined
    }
    return check(value, 0)
  }
}

/** A record whose field `kind` chooses among shapes. */
export function union(kinds: Readonly<Record<string, Shape>>): Shape {
  return (value) => {
    const kind = kindOf(value)
    if (kind === undefined || !Object.hasOwn(kinds, kind)) return '.kind is unknown'
    return kinds[kind]?.(value)
  }
}

/** Passes when any of the shapes does; tells the last problem. */
export function either(...shapes: readonly Shape[]): Shape {
  return (value) => {
    let wrong: string | undefined = 'is nothing that is allowed'
    for (const shape of shapes) {
      wrong = shape(value)
      if (wrong === undefined) return undefined
    }
    return wrong
  }
}

/** The field `kind` of a value of unknown origin. */
export function kindOf(value: unknown): string | undefined {
  return isRecord(value) && typeof value.kind === 'string' ? value.kind : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  )
}
