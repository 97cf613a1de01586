/** boto3, the newest that a Python on this machine has. */
import { join } from 'node:path'
import { awsEnvironment, linesOf, runTool, type StockClient } from './stock-client.ts'

const script = join(import.meta.dirname, 'boto3_session.py')

/** The Python with the newest boto3, or undefined. */
async function findPython(): Promise<string | undefined> {
  let newest: { python: string; version: number[] } | undefined
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      const { stdout } = await runTool(python, ['-c', 'import boto3; print(boto3.__version__)'])
      const version = stdout.toString('utf8').trim().split('.').map(Number)
      const difference = version
        .map((part, index) => part - (newest?.version[index] ?? 0))
        .find((part) => part !== 0)
      if (newest === undefined || (difference ?? 0) > 0) newest = { python, version }
    } catch {
      // This Python has no boto3, or is not there.
    }
  }
  return newest?.python
}

export const boto3: StockClient = {
  name: 'boto3',
  unavailable: async () => ((await findPython()) === undefined ? 'no Python here has boto3' : undefined),
  open: async (access, folder) => {
    const python = (await findPython()) ?? 'python3'
    // A home of its own hides packages that are installed for the user; settings come by environment alone.
    const { HOME: _, ...env } = awsEnvironment(access, folder)
    const call = (...args: string[]) => runTool(python, [script, ...args], { env })
    return {
      makeBucket: async (bucket) => void (await call('make', bucket)),
      put: async (bucket, key, file) => void (await call('put', bucket, key, file)),
      get: async (bucket, key, file) => void (await call('get', bucket, key, file)),
      range: async (bucket, key, first, last) =>
        (await call('range', bucket, key, String(first), String(last))).stdout,
      presign: async (bucket, key) => (await call('presign', bucket, key)).stdout.toString('utf8').trim(),
      copy: async (bucket, from, to) => void (await call('copy', bucket, from, to)),
      list: async (bucket) => linesOf((await call('list', bucket)).stdout),
      remove: async (bucket, key) => void (await call('remove', bucket, key)),
    }
  },
}
