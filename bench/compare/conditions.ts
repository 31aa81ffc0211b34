import { type Place, TOOLS, type Tool } from './tools.ts'

/** Versions and commands: what somebody else needs to judge or repeat the figures. Markdown. */
export function describeTools(versions: readonly (readonly [tool: string, version: string])[]): string {
  const tools = TOOLS.flatMap((tool) => {
    const version = versions.find(([id]) => id === tool.id)?.[1]
    return version === undefined ? [] : { tool, version }
  })
  const missing = TOOLS.filter(({ id }) => !versions.some(([other]) => id === other))
  return [
    ...tools.map(({ tool, version }) => `- ${tool.name}: ${version}`),
    ...missing.map(({ name }) => `- ${name}: not measured`),
    '',
    '```',
    'unset NODE_EXTRA_CA_CERTS',
    ...tools.flatMap(({ tool }) => [`# ${tool.name}`, ...commandsOf(tool)]),
    '```',
  ].join('\n')
}

const PLACE: Place = { repo: 'REPO', source: 'SOURCE', target: 'TARGET', backups: 1, keep: 7 }

function commandsOf(tool: Tool): string[] {
  const env = Object.entries(tool.env('HOME')).map(([name, value]) => `export ${name}=${value}`)
  const commands = [...tool.init('REPO'), ...Object.values(tool.verbs).flatMap((verb) => verb(PLACE))]
  const lines = commands.map((command) => command.join(' ').replaceAll(`${process.cwd()}/`, ''))
  return [...env, ...new Set(lines)]
}
