/**
 * From method, address, query and headers to one row of the operation table. Pure.
 *
 * Invariant: a request that names a sub-resource never falls through to an operation without one: it finds a row or
 * is refused. Two sub-resources are refused.
 */
import type { Operation, Target } from './operation.ts'
import type { Address } from './s3/address.ts'
import { queryValue } from './s3/address.ts'
import { invalidArgument, S3Error } from './s3/errors.ts'
import type { Headers } from './s3/headers.ts'

export interface Routable {
  readonly method: string
  readonly address: Address
  readonly headers: Headers
}

export type Router = (request: Routable) => Operation

function targetOf(address: Address): Target {
  if (address.bucket === '') return 'service'
  return address.key === '' ? 'bucket' : 'object'
}

function weight(operation: Operation): number {
  const needs = operation.needs
  if (needs === undefined) return 0
  return (
    (needs.query?.length ?? 0) + (needs.queryIs === undefined ? 0 : 1) + (needs.header === undefined ? 0 : 1)
  )
}

function holds(operation: Operation, { address, headers }: Routable): boolean {
  const needs = operation.needs
  if (needs === undefined) return true
  if (needs.header !== undefined && headers[needs.header] === undefined) return false
  if (needs.queryIs !== undefined && queryValue(address.query, needs.queryIs[0]) !== needs.queryIs[1])
    return false
  return needs.query?.every((name) => queryValue(address.query, name) !== undefined) ?? true
}

function tableKey(method: string, target: Target, subresource: string): string {
  return `${method} ${target} ${subresource}`
}

/** Throws Error for two rows that the same request would match equally. */
export function createRouter(operations: readonly Operation[]): Router {
  const table = new Map<string, Operation[]>()
  const subresources = new Set<string>()
  for (const operation of operations) {
    if (operation.subresource !== undefined) subresources.add(operation.subresource)
    const key = tableKey(operation.method, operation.target, operation.subresource ?? '')
    const rows = table.get(key) ?? []
    if (rows.some((row) => JSON.stringify(row.needs) === JSON.stringify(operation.needs))) {
      throw new Error(`${operation.name} cannot be told from another operation`)
    }
    rows.push(operation)
    rows.sort((a, b) => weight(b) - weight(a))
    table.set(key, rows)
  }

  const subresourceOf = (address: Address): string => {
    let found = ''
    for (const [name] of address.query) {
      if (!subresources.has(name) || name === found) continue
      if (found !== '') {
        throw invalidArgument('ResourceType', found, `Conflicting query string parameters: ${found}, ${name}`)
      }
      found = name
    }
    return found
  }

  return (request) => {
    const { address, method } = request
    // A preflight asks for all that a page may do at an address, whatever the query says.
    const subresource = method === 'OPTIONS' ? '' : subresourceOf(address)
    const rows = table.get(tableKey(method, targetOf(address), subresource)) ?? []
    for (const row of rows) if (holds(row, request)) return row
    throw new S3Error('MethodNotAllowed', undefined, {
      details: {
        Method: method,
        ResourceType: subresource === '' ? targetOf(address).toUpperCase() : subresource.toUpperCase(),
      },
    })
  }
}
