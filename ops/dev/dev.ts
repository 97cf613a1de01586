/**
 * `bundescloud dev`, the program behind `npm start`: a local federation in the foreground, for people.
 */
import { awsSettings, rcloneSettings, s3cmdSettings } from './client-settings.ts'
import { type FederationOptions, LocalFederation } from './local-federation.ts'

/** Runs until SIGINT, SIGTERM or SIGHUP. Rejects when the federation does not come up; nothing is left running then. */
export async function runDev(options: FederationOptions): Promise<void> {
  const started = performance.now()
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  say('starting the local federation ...')
  const starting = LocalFederation.start({ ...options, say })
  const stopped = stopOnSignal(starting, say)
  const federation = await starting
  for (const warning of federation.warnings) say(`warning: ${warning}`)
  say(announcement(federation, options.dataDir))
  say(`serving after ${((performance.now() - started) / 1_000).toFixed(1)} s; Ctrl-C ends it, the data stays`)
  await stopped
}

/** Resolves when a signal has ended the federation. A second signal does not wait. */
function stopOnSignal(starting: Promise<LocalFederation>, say: (line: string) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const stop = (): void => {
    asked += 1
    // Children are tethered: they end by themselves when this process is gone.
    if (asked > 1) process.exit(130)
    say('stopping ...')
    starting
      .then((federation) => federation.stop())
      .then(resolve, resolve)
      .finally(() => process.exit(0))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  return promise
}

/** Endpoint, users and settings of clients, ready to paste. */
export function announcement(federation: Pick<LocalFederation, 'file' | 'layout'>, dataDir: string): string {
  const { endpoint, region, users, nodes } = federation.file
  const people = users.filter((user) => user.email === undefined)
  const first = people[0] ?? { accessKeyId: '', secretAccessKey: '' }
  const access = { endpoint, region, ...first }
  const sites = [...new Set(nodes.map((node) => node.site))]
  const options = dataDir === '.data/dev' ? '' : ` --data-dir ${dataDir}`
  return [
    '',
    `S3 endpoint  ${endpoint}   region ${region}`,
    ...people.map((user) => `user ${user.name.padEnd(10)} ${user.accessKeyId}  ${user.secretAccessKey}`),
    ...(people.length < users.length
      ? [`${users.length - people.length} users for conformance suites: ${federation.layout.federationFile}`]
      : []),
    '',
    '# aws CLI: paste into the shell',
    awsSettings(access),
    '',
    '# rclone: ~/.config/rclone/rclone.conf',
    rcloneSettings(access),
    '',
    '# s3cmd: ~/.s3cfg',
    s3cmdSettings(access),
    '',
    ...sites.map((site) => {
      const members = nodes.filter((node) => node.site === site)
      return `site ${site.padEnd(16)} ${members.map((node) => `${node.id} (process ${node.pid})`).join(', ')}`
    }),
    `status: npx bundescloud status${options}    after a kill: npx bundescloud dev restart <node|site>${options}`,
    `metrics: ${federation.file.gateway.adminUrl}/metrics and those of the nodes in ${federation.layout.federationFile}`,
  ].join('\n')
}
