def tell(*_): pass
