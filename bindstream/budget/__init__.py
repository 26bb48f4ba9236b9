"""From a budget of false alarms to a cut: events of the background, their tail, what it promises."""
