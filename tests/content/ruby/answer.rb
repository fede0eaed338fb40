# Renders templates with Ruby's own Liquid: a JSON object a line in, a JSON object a line out.
ENV["TZ"] = "UTC"
require "json"
require "liquid"
require "active_support"
require "active_support/core_ext/object/blank"
require "active_support/core_ext/string/access"

$stdout.sync = true
$stdin.each_line do |line|
  asked = JSON.parse(line)
  begin
    template = Liquid::Template.parse(asked["template"])
    output = template.render(asked["values"])
    answer = template.errors.empty? ? { output: output.scrub } : { error: template.errors.first.message }
  rescue Liquid::Error, SystemStackError => error
    answer = { error: error.message }
  end
  puts JSON.generate(answer)
end
