/** Markdown as sections of blocks, each with the line it stands on. */
import { fromMarkdown } from 'mdast-util-from-markdown';

type Node = ReturnType<typeof fromMarkdown>['children'][number];

/** Something in a specification that should be mended, with its place. */
export interface Finding {
  rule: string;
  severity: 'error' | 'warning';
  /** What is wrong and what to do. */
  message: string;
  file: string;
  line: number;
}

/** A paragraph, or one item of a list. `lead` is the item's leading bold text, if any. */
export interface Block {
  kind: 'paragraph' | 'item';
  text: string;
  lead: string | null;
  line: number;
}

/** A heading and the blocks up to the next heading of any depth. */
export interface Section {
  depth: number;
  heading: string;
  line: number;
  blocks: Block[];
}

/** The sections of a Markdown text in order. Blocks before the first heading come under depth 0. */
export function readSections(file: string, markdown: string): { sections: Section[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const sections: Section[] = [];
  const tree = fromMarkdown(markdown.replace(/^\uFEFF/, ''));
  const current = (line: number): Section => {
    if (sections.length === 0) sections.push({ depth: 0, heading: '', line, blocks: [] });
    return sections[sections.length - 1] as Section;
  };
  for (const node of tree.children) {
    const line = lineOf(node);
    if (node.type === 'heading') {
      sections.push({ depth: node.depth, heading: plainText(node), line, blocks: [] });
    } else if (node.type === 'paragraph') {
      current(line).blocks.push({ kind: 'paragraph', text: plainText(node), lead: null, line });
    } else if (node.type === 'list') {
      for (const item of node.children) {
        const first = item.children[0];
        const bold = first?.type === 'paragraph' ? first.children[0] : undefined;
        const lead = bold?.type === 'strong' ? plainText(bold) : null;
        current(line).blocks.push({ kind: 'item', text: plainText(item), lead, line: lineOf(item) });
      }
    } else if (node.type === 'html' && /^<!--[\s\S]*-->\s*$/.test(node.value)) {
      continue; // a comment is for the writers of the specification only
    } else {
      findings.push({
        rule: 'malformed',
        severity: 'error',
        message: `a ${blockNames[node.type] ?? node.type} has no meaning in a specification; write it as a paragraph or a list item`,
        file,
        line,
      });
    }
  }
  return { sections, findings };
}

const blockNames: Record<string, string> = {
  code: 'code block (or a line indented by four spaces)',
  blockquote: 'block quote',
  thematicBreak: 'horizontal rule (or front matter)',
  html: 'piece of HTML',
  definition: 'link definition',
};

const lineOf = (node: { position?: { start: { line: number } } | undefined }): number => node.position?.start.line ?? 1;

/** The text of a node without its markup, white space collapsed. */
function plainText(node: Node | { children: readonly unknown[] }): string {
  const gather = (n: unknown): string => {
    const { type, value, children, alt } = n as { type?: string; value?: string; children?: unknown[]; alt?: string };
    if (type === 'html' && /^<!--[\s\S]*-->$/.test(value ?? '')) return '';
    if (type === 'break') return ' ';
    if (children) return children.map(gather).join(type === 'listItem' || type === 'list' ? ' ' : '');
    return value ?? alt ?? '';
  };
  return gather(node).replace(/\s+/g, ' ').trim();
}
