import type { ComponentProps } from "react";
import Markdown, { type Components } from "react-markdown";
import gfm from "remark-gfm";

/** A heading of a file stands below those of the page. */
const heading = (Level: "h3" | "h4" | "h5", className: string) =>
  function Heading({ children }: ComponentProps<"h3">) {
    return <Level className={className}>{children}</Level>;
  };
const first = heading("h3", "mt-6 mb-3 text-xl font-semibold tracking-tight first:mt-0");
const second = heading("h4", "mt-7 mb-2 text-[1.05rem] font-semibold tracking-tight first:mt-0");
const third = heading("h5", "mt-5 mb-1.5 font-semibold first:mt-0");

const components: Components = {
  h1: first,
  h2: second,
  h3: third,
  h4: third,
  h5: third,
  h6: third,
  p: ({ children }) => <p className="my-3 leading-relaxed first:mt-0">{children}</p>,
  ul: ({ children }) => <ul className="my-3 list-disc space-y-1 pl-6">{children}</ul>,
  ol: ({ children, start }) => (
    <ol start={start} className="my-3 list-decimal space-y-1 pl-6">
      {children}
    </ol>
  ),
  blockquote: ({ children }) => <blockquote className="my-3 border-l-2 border-line-strong pl-4 text-soft">{children}</blockquote>,
  hr: () => <hr className="my-6 border-line" />,
  // A file of a job may link anywhere: the page it leads to learns nothing of this one.
  a: ({ href, children }) =>
    href && /^https?:/.test(href) ? (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow" className="text-accent-text underline underline-offset-2">
        {children}
      </a>
    ) : (
      <span className="underline decoration-dotted underline-offset-2">{children}</span>
    ),
  // Nothing is fetched from elsewhere; what a picture shows is in its words.
  img: ({ alt }) => <span className="text-soft">[{alt}]</span>,
  code: ({ children, className }) => (
    <code className={className ?? "rounded bg-sunken px-1 py-px font-mono text-[0.88em] [overflow-wrap:anywhere]"}>{children}</code>
  ),
  pre: ({ children }) => (
    <pre tabIndex={0} className="my-3 overflow-x-auto rounded-md border border-line bg-sunken p-3 font-mono text-[0.85em] leading-relaxed [&>code]:bg-transparent [&>code]:p-0">
      {children}
    </pre>
  ),
  table: ({ children }) => (
    <div tabIndex={0} role="group" className="my-4 overflow-x-auto">
      <table className="w-full border-collapse text-left text-[0.88em] [&_code]:whitespace-nowrap">{children}</table>
    </div>
  ),
  tr: ({ children }) => <tr className="border-b border-line">{children}</tr>,
  th: ({ children, style }) => (
    <th scope="col" style={style} className="py-1.5 pr-4 font-medium whitespace-nowrap text-soft">
      {children}
    </th>
  ),
  td: ({ children, style }) => (
    <td style={style} className="py-1.5 pr-4 align-top">
      {children}
    </td>
  ),
};

/** Markdown as a text to read. HTML in it is left as the characters that it is, and no picture is fetched. */
export default function MarkdownView({ text }: { text: string }) {
  return (
    <div className="max-w-[78ch] break-words">
      <Markdown remarkPlugins={[gfm]} components={components}>
        {text}
      </Markdown>
    </div>
  );
}
