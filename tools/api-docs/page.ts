import type ts from 'typescript'
import type { Group } from './doors.js'
import { Headings } from './headings.js'
import { type Comment, type Entry, type Inheritance, isForLanguage, type Member, type Surface } from './surface.js'
import type { Wording } from './wording.js'

/*
 * One page of the reference. Code that readers may copy is in blocks of `ts`, which the tests run; signatures are in blocks of
 * `typescript`, which look the same and are no programs.
 */

/** Where a symbol is told: of the page itself an anchor, of another one its file, too. */
export type Address = (symbol: ts.Symbol) => string | undefined

const MENTIONED = 'Types that these mention'
const ORDER = ['function', 'class', 'constant', 'interface', 'type']

/** What a page has to tell, in its order, and where each of it stands. */
export class Page {
  readonly name: string
  /** Of each symbol that has a section here. */
  readonly anchors = new Map<ts.Symbol, string>()
  private readonly surface: Surface
  private readonly sections: readonly { readonly title: string; readonly entries: readonly Entry[] }[]
  /** Of groups, and of members behind the name of their entry. */
  private readonly places = new Map<string, string>()

  constructor(surface: Surface) {
    this.surface = surface
    this.name = surface.door.page
    const { door, entries, mentioned } = surface
    const groups = door.groups.map((group) => ({
      title: group.title,
      entries: sorted(entries.filter((entry) => groupOf(door.groups, entry) === group)),
    }))
    this.sections = [...groups, { title: MENTIONED, entries: mentioned }].filter(({ entries }) => entries.length > 0)
    const headings = new Headings()
    headings.add(door.specifier)
    for (const { title, entries } of this.sections) {
      this.places.set(title, headings.add(title))
      for (const entry of entries) {
        this.anchors.set(entry.symbol, headings.add(entry.name))
        for (const { member } of methodsOf(entry)) {
          this.places.set(`${entry.name}.${member.name}`, headings.add(methodTitle(entry, member)))
        }
      }
    }
  }

  /** Where a method has its own heading. */
  placeOf(entry: string, member: string): string | undefined {
    return this.places.get(`${entry}.${member}`)
  }

  draw(address: Address): string {
    const { door, comment } = this.surface
    const pen = new Pen(address)
    const head = [
      `# ${door.specifier}`,
      pen.prose(comment.text),
      'Made from the sources and their comments (`npm run docs:api`). A `…Sync` form stands beside the promise form that it is like.',
    ]
    const contents = this.sections.map(({ title, entries }) => {
      const names = entries.map(({ name, symbol }) => `[${name}](#${this.anchors.get(symbol)})`)
      return `* [${title}](#${this.places.get(title)}): ${names.join(', ')}`
    })
    const sections = this.sections.flatMap(({ title, entries }) => [
      `## ${title}`,
      ...(title === MENTIONED ? ['They have no name to import; the signatures above are made of them.'] : []),
      ...entries.flatMap((entry) => this.drawEntry(entry, pen)),
    ])
    return `${[...head, contents.join('\n'), ...sections].filter((each) => each !== '').join('\n\n')}\n`
  }

  private drawEntry(entry: Entry, pen: Pen): string[] {
    const { name, kind, source, comment, wordings, members, inherited } = entry
    const properties = members.filter(({ calls }) => calls.length === 0)
    const methods = methodsOf(entry)
    const uses = members.filter(({ name }) => isForLanguage(name)).map(({ name }) => `\`${USES[name] ?? name}\``)
    const contents = methods.map(({ member, twin }) => {
      const link = `[${member.name}](#${this.placeOf(name, member.name)})`
      return twin === undefined ? link : `${link} and ${twin.name.slice(member.name.length)}`
    })
    return [
      `### ${name}`,
      `${KINDS[kind]}${entry.isTypeOnly && kind === 'class' ? ', to be had from other calls' : ''}, from [${source}](../../${source}).`,
      pen.prose(comment.text),
      pen.signatures(wordings, entry),
      ...pen.examples(comment),
      contents.length > 1 ? `Calls: ${contents.join(', ')}.` : '',
      uses.length > 0 ? `Made for ${uses.join(', ')}.` : '',
      ...inherited.map((each) => this.inheritedLine(each, pen)),
      properties.map((member) => pen.property(member, '')).join('\n'),
      ...methods.flatMap(({ member, twin }) => [
        `#### \`${methodTitle(entry, member)}\``,
        pen.signatures([...member.calls, ...(twin?.calls ?? [])], entry),
        ...this.drawComments(twin === undefined ? [member] : inOrder(entry, member, twin), pen),
      ]),
    ]
  }

  /** What is said of a method, and then of the form beside it. */
  private drawComments([first, second]: readonly Member[], pen: Pen): string[] {
    const said = [pen.prose(first!.comment.text)]
    if (second !== undefined) said.push(`\`${second.name}\`: ${lowered(pen.prose(second.comment.text))}`)
    return [...said, ...pen.examples(first!.comment), ...(second === undefined ? [] : pen.examples(second.comment))]
  }

  private inheritedLine({ name, symbol, members }: Inheritance, pen: Pen): string {
    const target = symbol === undefined ? undefined : pen.address(symbol)
    const owner = target === undefined ? `\`${name}\`` : `[${name}](${target})`
    return `From ${owner}: ${members.map((each) => `\`${each}\``).join(', ')}.`
  }
}

/** What the members are for that the language itself calls. */
const USES: Readonly<Record<string, string>> = {
  '[Symbol.iterator]': 'for … of',
  '[Symbol.asyncIterator]': 'for await … of',
  '[Symbol.dispose]': 'using',
  '[Symbol.asyncDispose]': 'await using',
}

const KINDS = { function: 'Function', class: 'Class', interface: 'Interface', type: 'Type', constant: 'Constant' }

/** Draws pieces of a page; every name that has a section somewhere is a link to it. */
class Pen {
  readonly address: Address

  constructor(address: Address) {
    this.address = address
  }

  /** The text of a comment; codes of errors lead to what is said of them. */
  prose(text: string): string {
    return text.replace(/(`?)\b(SILT_[A-Z_]+)\b\1/g, (_, _tick, code: string) => {
      return `[\`${code}\`](../errors.md#${code.toLowerCase()})`
    })
  }

  examples({ examples }: Comment): string[] {
    return examples.map((each) => `\`\`\`ts\n${each}\n\`\`\``)
  }

  /** A block of signatures of an entry, and below it links to what else they mention. */
  signatures(wordings: readonly Wording[], entry: Entry): string {
    if (wordings.length === 0) return ''
    const links = new Map<string, string>()
    for (const { names } of wordings) {
      for (const symbol of names.values()) {
        const target = this.address(symbol)
        if (target !== undefined && symbol !== entry.symbol) links.set(symbol.name, `[${symbol.name}](${target})`)
      }
    }
    const block = `\`\`\`typescript\n${wordings.map(({ text }) => text).join('\n')}\n\`\`\``
    return links.size === 0 ? block : `${block}\n\nSee ${[...links.values()].join(', ')}.`
  }

  property(member: Member, indent: string): string {
    const { name, isOptional, isStatic, parts, type } = member
    const told = parts.length > 0 ? '' : `: ${this.linked(type!)}`
    const head = `${indent}* **${isStatic ? 'static ' : ''}\`${name}${isOptional ? '?' : ''}\`**${told}`
    const said = this.prose(member.comment.text).replace(/\s*\n\s*/g, ' ')
    const lines = [said === '' ? head : `${head}  \n${indent}  ${said}`]
    return [...lines, ...parts.map((part) => this.property(part, `${indent}  `))].join('\n')
  }

  /** A type on one line. */
  private linked({ text, names }: Wording): string {
    const known = [...names].flatMap(([name, symbol]) => {
      const target = this.address(symbol)
      return target === undefined ? [] : [[name, target] as const]
    })
    if (known.length === 0) return `\`${text}\``
    const targets = new Map(known)
    const pieces = text.split(new RegExp(`\\b(${known.map(([name]) => name).join('|')})\\b`))
    return pieces
      .filter((piece) => piece !== '')
      .map((piece) => (targets.has(piece) ? `[\`${piece}\`](${targets.get(piece)})` : `\`${piece}\``))
      .join('')
  }
}

interface Method {
  readonly member: Member
  /** The form on this thread. */
  readonly twin: Member | undefined
}

function methodsOf({ members }: Entry): Method[] {
  const methods = members.filter(({ calls, name }) => calls.length > 0 && !isForLanguage(name))
  const twinOf = ({ name }: Member): Member | undefined => methods.find((each) => each.name === `${name}Sync`)
  const twins = new Set(methods.map(twinOf))
  return methods.filter((member) => !twins.has(member)).map((member) => ({ member, twin: twinOf(member) }))
}

function inOrder({ members }: Entry, ...methods: Member[]): Member[] {
  return methods.sort((a, b) => members.indexOf(a) - members.indexOf(b))
}

function methodTitle(entry: Entry, member: Member): string {
  if (member.name === 'constructor') return `new ${entry.name}()`
  const owner = member.isStatic ? entry.name : entry.name[0]!.toLowerCase() + entry.name.slice(1)
  return `${owner}.${member.name}()`
}

function groupOf(groups: readonly Group[], { name, source }: Entry): Group {
  const group = groups.find(({ sources }) => sources.test(source))
  if (group === undefined) {
    throw new Error(
      `No group of the reference takes ${name} of ${source}; say in tools/api-docs/doors.ts which one does`,
    )
  }
  return group
}

/** What is called comes first, then what is handed over. */
function sorted(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
}

function lowered(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
