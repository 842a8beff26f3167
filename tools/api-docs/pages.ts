import type ts from 'typescript'
import { Page } from './page.js'
import { type Entry, isForLanguage, type Member, type Surface } from './surface.js'

/** The pages as they should be, by path below docs/api. */
export function apiPages(surfaces: readonly Surface[]): Map<string, string> {
  const pages = surfaces.map((surface) => new Page(surface))
  const drawn = new Map([['README.md', contents(surfaces)]])
  for (const page of pages) {
    const address = (symbol: ts.Symbol): string | undefined => {
      const home = [page, ...pages].find(({ anchors }) => anchors.has(symbol))
      return home && `${home === page ? '' : home.name}#${home.anchors.get(symbol)}`
    }
    drawn.set(page.name, page.draw(address))
  }
  return drawn
}

function contents(surfaces: readonly Surface[]): string {
  const rows = surfaces.map(({ door, comment, entries }) => {
    const calls = entries.filter(({ kind, isTypeOnly }) => !isTypeOnly && (kind === 'function' || kind === 'class'))
    const names = calls.map(({ name }) => `\`${name}\``).join(', ')
    return `| [${door.specifier}](${door.page}) | ${comment.text} | ${names} |`
  })
  return `# Reference

Every name of every entry of the package, made from the sources and their comments (\`npm run docs:api\`). The
[guide](../guide/store-and-read.md) tells the same by task, and [errors](../errors.md) says what each error means.

| entry | | to import |
|---|---|---|
${rows.join('\n')}
`
}

/** What is exported and has no comment, members included: the source and the name. */
export function undocumented(surfaces: readonly Surface[]): string[] {
  const ofMember = (owner: string, member: Member): string[] => [
    ...(member.comment.text === '' && !isForLanguage(member.name) ? [`${owner}.${member.name}`] : []),
    ...member.parts.flatMap((part) => ofMember(`${owner}.${member.name}`, part)),
  ]
  const ofEntry = ({ name, source, comment, members }: Entry): string[] => [
    ...(comment.text === '' ? [`${source} ${name}`] : []),
    ...members.flatMap((member) => ofMember(`${source} ${name}`, member)),
  ]
  return surfaces.flatMap(({ entries }) => entries.flatMap(ofEntry))
}
